"""Numbers over time, for plots: a series of each entry in aligned buckets, gaps included."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from lxml import etree

from aggregator.config import Clash, Settings
from aggregator.errors import InvalidQuery, RequestError
from aggregator.store.archive_series_reading import Bucket, SeriesOf, find_series, read_buckets
from aggregator.wire.times import SECOND
from aggregator.wire.xpath import check_expression

if TYPE_CHECKING:
    from aggregator.store.engine import Store

#: Buckets of one series that may be asked for, and of all in one answer.
MOST_BUCKETS, _ANSWERED = 10_000, 100_000
#: Series that are looked for at once, and seconds after which no further one is read.
_PAGE, _PATIENCE = 50, 5.0
_DAY = 86_400 * SECOND


@dataclass(frozen=True, slots=True)
class Plot:
    """What is asked for: a series, in buckets of `width` microseconds from `since` to `until`.

    Made by `plot`, which aligns them. Empty texts stand for any member and entry, `after` is the
    id of the series after which to go on.
    """

    name: str
    since: int
    until: int
    width: int
    member: str = ""
    entry: str = ""
    after: int = 0

    @property
    def starts(self) -> range:
        """Where buckets begin."""
        return range(self.since, self.until, self.width)


@dataclass(frozen=True, slots=True)
class Plotted:
    """The buckets of one entry, by their beginning; where nothing came there is none."""

    series: SeriesOf
    buckets: dict[int, Bucket]


def plot(
    name: str,
    *,
    now: int,
    since: int | None,
    until: int | None,
    width: float,
    member: str = "",
    entry: str = "",
    after: int = 0,
) -> Plot:
    """What to ask for: by default the day before now; RequestError for more than is answered."""
    step = max(1, round(width * SECOND))
    last = now if until is None else until
    first = last - _DAY if since is None else since
    begin, end = first - first % step, last - last % step + step
    count = (end - begin) // step
    if count < 1 or first > last:
        raise RequestError("the time that is asked for ends before it begins")
    if count > MOST_BUCKETS:
        raise RequestError(
            f"that would be {count} buckets; at most {MOST_BUCKETS} are answered: ask for longer "
            "ones, or for less time"
        )
    return Plot(name, begin, end, step, member, entry, after)


def plotted(store: Store, group_id: int, asked: Plot) -> tuple[list[Plotted], int | None]:
    """The series that were asked for, and after which id to go on; None at the end.

    No connection is held from one series to the next.
    """
    stop = monotonic() + _PATIENCE
    most = min(_PAGE, max(1, _ANSWERED // len(asked.starts)))
    found = store.query(
        partial(
            find_series,
            group_id=group_id,
            name=asked.name,
            since=asked.since,
            until=asked.until,
            member=asked.member,
            entry=asked.entry,
            after=asked.after,
            most=most,
        )
    )
    done: list[Plotted] = []
    for one in found:
        if done and monotonic() > stop:
            return done, done[-1].series.id
        read = partial(
            read_buckets, series_id=one.id, since=asked.since, until=asked.until, width=asked.width
        )
        done.append(Plotted(one, store.query(read)))
    return done, done[-1].series.id if len(found) == most else None


def wrong_series(settings: Settings) -> Iterator[Clash]:
    """Series whose expressions can't be evaluated."""
    longest = settings.query.max_expression
    for name, group in settings.groups.items():
        for one in group.series:
            path = ("groups", name, "series")
            namespaces = dict(one.namespaces)
            try:
                check_expression(one.xpath, namespaces, longest=longest)
                etree.XPath(f"number({one.xpath})", namespaces=namespaces)
            except (InvalidQuery, etree.XPathError) as error:
                yield Clash((path,), f"{one.name}: {one.xpath!r} is no XPath 1.0: {error}")
