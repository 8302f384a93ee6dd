"""What tests of archives share: deliveries of a few members, and what is kept of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from aggregator.store.archive_packing import Bases
from aggregator.store.archive_reading import Page, Wanted, read_page
from aggregator.store.archive_tables import DAY
from aggregator.store.archive_unpacking import Place, Span
from aggregator.store.archive_writing import Arrival, archive
from aggregator.store.engine import Store

SECOND = 1_000_000
#: The beginning of a day (UTC).
MORNING = 1_700_006_400 * SECOND
assert MORNING % DAY == 0
END = 2**62


def arrival(
    text: str,
    at: int,
    *,
    key: str = "k1",
    member: str = "http://m1/s",
    reference: str = "",
    gap: int = 0,
    children: Sequence[bytes] | None = None,
    **values: float,
) -> Arrival:
    """A delivery of one element with a text."""
    content = tuple(children) if children is not None else (f"<v>{text}</v>".encode(),)
    return Arrival(key, member, reference, b"<epr/>", at, gap, content, values)


def keep(store: Store, *arrivals: Arrival, group: str = "A", bases: Bases | None = None) -> int:
    """Hand deliveries over, those of one entry one after the other; how many were new."""
    known = bases or Bases()
    return sum(
        store.writer.run(partial(archive, group=group, arrivals=[one], bases=known))
        for one in arrivals
    )


def keep_together(store: Store, *arrivals: Arrival) -> int:
    """Hand deliveries of different entries over, all at once."""
    return store.writer.run(partial(archive, group="A", arrivals=arrivals, bases=Bases()))


def page(
    store: Store,
    wanted: Wanted | None = None,
    *,
    after: Place | None = None,
    most: int = 1000,
    budget: int = 2**20,
    group_id: int = 1,
) -> Page:
    """A page of what is kept; by default of all."""
    return store.query(
        partial(
            read_page,
            group_id=group_id,
            wanted=wanted or Wanted(0, END),
            after=after,
            most=most,
            budget=budget,
            bases=Bases(),
        )
    )


def pages(store: Store, wanted: Wanted | None = None, **limits: int) -> list[Span]:
    """All of it, by as many pages as that takes."""
    found: list[Span] = []
    after = None
    while True:
        part = page(store, wanted, after=after, **limits)
        found += part.spans
        if not part.more:
            return found
        after = part.spans[-1].place


def told(spans: Sequence[Span]) -> list[tuple[str, int, int, int]]:
    """Of each document its text, and when it came first, last and how often, in seconds."""
    return [
        (
            b"".join(one.children).decode().removeprefix("<v>").removesuffix("</v>"),
            (one.first - MORNING) // SECOND,
            (one.last - MORNING) // SECOND,
            one.deliveries,
        )
        for one in spans
    ]


def at(seconds: float) -> int:
    """So long after that morning."""
    return MORNING + round(seconds * SECOND)
