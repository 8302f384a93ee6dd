"""What an archive holds: documents by time and member, a page at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from aggregator.store.archive_packing import Bases, inflate
from aggregator.store.archive_selecting import (
    OF_ADDRESS,
    OF_ENTRY,
    REACHING,
    REACHING_SIZES,
    REACHING_STREAM,
    REACHING_STREAM_SIZES,
    WITHIN,
    WITHIN_SIZES,
    WITHIN_STREAM,
    WITHIN_STREAM_SIZES,
)
from aggregator.store.archive_tables import DAY, archive_bases
from aggregator.store.chunks import chunks
from aggregator.store.content import unpack
from aggregator.store.statement import Row, Statement


class Place(NamedTuple):
    """After which document to go on.

    First come those that reach into the time that is asked for, in the order of their streams, of
    which each has one at most; then the others in the order of their first delivery.
    """

    first: int
    stream: int


class Span(NamedTuple):
    """A document, and when it came: `deliveries` times from `first` to `last`."""

    stream: int
    entry_key: str
    address: str
    first: int
    last: int
    deliveries: int
    size: int
    children: tuple[bytes, ...]

    @property
    def place(self) -> Place:
        """Where it is in the order."""
        return Place(self.first, self.stream)


class Wanted(NamedTuple):
    """Which documents are asked for: those that came from `since` to `until`, both included.

    Without `address` those of any member, without `reference` those of all at that address, without
    `entry_key` those of all entries.
    """

    since: int
    until: int
    address: str = ""
    reference: str = ""
    entry_key: str = ""


_BASES = select(archive_bases.c.id, archive_bases.c.content).where(
    archive_bases.c.id.in_(bindparam("ids", expanding=True))
)


class Page(NamedTuple):
    """Documents in their order; `more` where others may come after them."""

    spans: list[Span]
    more: bool


def read_page(
    connection: Connection,
    group_id: int,
    wanted: Wanted,
    *,
    after: Place | None = None,
    most: int,
    budget: int,
    bases: Bases,
) -> Page:
    """The next documents: at most `most`, and of more than `budget` bytes one alone."""
    at = after or Place(-1, 0)
    day = wanted.since - wanted.since % DAY
    values = {"since": wanted.since, "until": wanted.until, "day": day}
    is_narrow = bool(wanted.address or wanted.entry_key)
    streams = _streams(connection, group_id, wanted) if is_narrow else {}
    while True:
        asked = {**values, "after_first": at.first, "after_stream": at.stream}
        if is_narrow:
            rows, more = _of_streams(connection, streams, asked, most=most, budget=budget)
        else:
            rows, more = _of_group_page(connection, group_id, asked, most=most, budget=budget)
        spans = _unpacked(connection, rows, bases)
        if spans or not rows or not more:
            return Page(spans, more)
        # All of them were given up while they were read; there are others behind them.
        at = Place(rows[-1][3], rows[-1][0])


def _streams(connection: Connection, group_id: int, wanted: Wanted) -> dict[int, int]:
    """The streams that are asked for, each with the size of its largest document."""
    asked = {"group": group_id, "since": wanted.since, "until": wanted.until}
    found: dict[int, int] | None = None
    if wanted.address:
        rows = OF_ADDRESS.rows(
            connection,
            **asked,
            address=wanted.address,
            reference=wanted.reference,
            any_reference=int(not wanted.reference),
        )
        found = dict(rows)
    if wanted.entry_key:
        of_entry: dict[int, int] = dict(
            OF_ENTRY.rows(connection, **asked, entry_key=wanted.entry_key)
        )
        found = {
            stream: size for stream, size in of_entry.items() if found is None or stream in found
        }
    return found or {}


def _of_streams(
    connection: Connection,
    streams: Mapping[int, int],
    values: Mapping[str, int],
    *,
    most: int,
    budget: int,
) -> tuple[Sequence[Row], bool]:
    """A page of several streams, of each of which the size of its largest document is known."""
    if len(streams) == 1:
        [(stream, largest)] = streams.items()
        share = min(most, max(1, budget // max(1, largest)))
        of_stream = {**values, "of": stream}
        rows = _rows(connection, (REACHING_STREAM, WITHIN_STREAM), of_stream, share)
        return rows, len(rows) == share
    while True:
        sizes, more = _sizes_of_streams(connection, streams, values, most=most)
        taken = _taken(sizes, budget)
        rows = _of_places(connection, sizes[:taken], values)
        if rows or not sizes:
            return rows, more or taken < len(sizes)
        # They have just been given up; there may be others behind them.


def _sizes_of_streams(
    connection: Connection, streams: Collection[int], values: Mapping[str, int], *, most: int
) -> tuple[list[Row], bool]:
    """Where the next documents of streams are, and how large; whether there may be more."""
    found: list[Row] = []
    more = False
    for stream in streams:
        asked = {**values, "of": stream}
        rows = _rows(connection, (REACHING_STREAM_SIZES, WITHIN_STREAM_SIZES), asked, most)
        more |= len(rows) == most
        if rows:
            found += rows
            found.sort(key=lambda row: _order(row[0], row[1], values))
            more |= len(found) > most
            del found[most:]
    return found, more


def _of_places(
    connection: Connection, sizes: Sequence[Row], values: Mapping[str, int]
) -> list[Row]:
    """The documents at places, which are the next ones of each of their streams."""
    places = {(first, stream) for first, stream, _ in sizes}
    rows: list[Row] = []
    for stream, count in Counter(stream for _, stream in places).items():
        asked = {**values, "of": stream}
        # Where some were given up meanwhile, it finds others that have no place here.
        found = _rows(connection, (REACHING_STREAM, WITHIN_STREAM), asked, count)
        rows += [row for row in found if (row[3], row[0]) in places]
    rows.sort(key=lambda row: _order(row[3], row[0], values))
    return rows


def _order(first: int, stream: int, values: Mapping[str, int]) -> tuple[int, int, int]:
    return (0, 0, stream) if first < values["since"] else (1, first, stream)


def _taken(sizes: Sequence[Row], budget: int) -> int:
    """How many of the next documents are read at once."""
    total = taken = 0
    for _, _, size in sizes:
        if taken and total + size > budget:
            break
        total, taken = total + size, taken + 1
    return taken


def _of_group_page(
    connection: Connection, group_id: int, values: Mapping[str, int], *, most: int, budget: int
) -> tuple[Sequence[Row], bool]:
    """A page of a whole group: how large the next ones are is asked first."""
    asked = {**values, "group": group_id}
    while sizes := _rows(connection, (REACHING_SIZES, WITHIN_SIZES), asked, most):
        taken = _taken(sizes, budget)
        if rows := _rows(connection, (REACHING, WITHIN), asked, taken):
            return rows, taken < len(sizes) or len(sizes) == most
        # They have just been given up; there may be others behind them.
    return [], False


def _rows(
    connection: Connection,
    statements: tuple[Statement, Statement],
    values: Mapping[str, int],
    most: int,
) -> list[Row]:
    """Spans that reach into the time that is asked for, then those that begin within it."""
    reaching, within = statements
    since, after = values["since"], values["after_first"]
    rows: list[Row] = []
    if after < since:
        rows = reaching.rows(connection, **values, most=most)
    if len(rows) < most:
        begin = max(since, after)
        rows += within.rows(connection, **values, begin=begin, most=most - len(rows))
    return rows


def _unpacked(connection: Connection, rows: Sequence[Row], bases: Bases) -> list[Span]:
    known = _bases(connection, {int(row[6]) for row in rows}, bases)
    return [
        Span._make((*told, size, unpack(inflate(content, known[base], size=size))))
        for *told, base, size, content in rows
        # Without its base it was given up since its row was read.
        if base in known
    ]


def _bases(connection: Connection, ids: set[int], bases: Bases) -> dict[int, bytes]:
    found = {number: base for number in ids if (base := bases.get(number)) is not None}
    missing = sorted(ids - set(found) - {0})
    for chunk in chunks(missing):
        for number, content in connection.execute(_BASES, {"ids": chunk}):
            found[number] = inflate(bytes(content), b"", size=2**20)
            bases.put(number, found[number])
    found.setdefault(0, b"")
    return found
