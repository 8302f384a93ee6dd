"""What an archive holds: documents by time and member, a page at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from aggregator.store.archive_packing import Bases
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
from aggregator.store.archive_tables import DAY
from aggregator.store.archive_unpacking import Place, Span, Stream, known_bases, unpacked
from aggregator.store.statement import Row, Statement


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
    at: Place | None = after or Place(-1, 0)
    day = wanted.since - wanted.since % DAY
    values = {"since": wanted.since, "until": wanted.until, "day": day}
    is_narrow = bool(wanted.address or wanted.entry_key)
    streams = _streams(connection, group_id, wanted) if is_narrow else {}
    spans: list[Span] = []
    more = True
    while more and not spans and at is not None:
        # Where all were given up while they were read, there are others behind them.
        asked = {**values, "after_first": at.first, "after_stream": at.stream}
        if is_narrow:
            found = _of_streams(connection, streams, asked, most=most, budget=budget)
        else:
            found = _of_group(connection, group_id, asked, most=most, budget=budget)
        parts, at, more = found
        known = known_bases(connection, {row[-3] for _, rows in parts for row in rows}, bases)
        spans = [span for stream, rows in parts for span in unpacked(stream, rows, known)]
        if len(parts) > 1:
            spans.sort(key=lambda span: _order(span.first, span.stream, values))
    return Page(spans, more)


class _Found(NamedTuple):
    """Rows of one stream each, or of any; where the last of them is, and whether there is more."""

    parts: Sequence[tuple[Stream | None, Sequence[Row]]]
    last: Place | None
    more: bool


def _streams(connection: Connection, group_id: int, wanted: Wanted) -> dict[int, Stream]:
    """The streams that are asked for."""
    asked = {"group": group_id, "since": wanted.since, "until": wanted.until}
    found: dict[int, Stream] | None = None
    if wanted.address:
        rows = OF_ADDRESS.rows(
            connection,
            **asked,
            address=wanted.address,
            reference=wanted.reference,
            any_reference=int(not wanted.reference),
        )
        found = {row[0]: Stream._make(row) for row in rows}
    if wanted.entry_key:
        of_entry = OF_ENTRY.rows(connection, **asked, entry_key=wanted.entry_key)
        found = {row[0]: Stream._make(row) for row in of_entry if found is None or row[0] in found}
    return found or {}


def _of_streams(
    connection: Connection,
    streams: Mapping[int, Stream],
    values: Mapping[str, int],
    *,
    most: int,
    budget: int,
) -> _Found:
    """A page of several streams, of each of which the size of its largest document is known."""
    if len(streams) == 1:
        [stream] = streams.values()
        share = min(most, max(1, budget // max(1, stream.largest)))
        of_stream = {**values, "of": stream.id}
        rows = _rows(connection, (REACHING_STREAM, WITHIN_STREAM), of_stream, share)
        last = Place(rows[-1][0], stream.id) if rows else None
        return _Found([(stream, rows)], last, len(rows) == share)
    while True:
        sizes, more = _sizes_of_streams(connection, streams, values, most=most)
        taken = _taken(sizes, budget)
        parts = _of_places(connection, streams, sizes[:taken], values)
        if parts or not sizes:
            last = Place(*sizes[taken - 1][:2]) if sizes else None
            return _Found(parts, last, more or taken < len(sizes))
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
    connection: Connection,
    streams: Mapping[int, Stream],
    sizes: Sequence[Row],
    values: Mapping[str, int],
) -> list[tuple[Stream | None, Sequence[Row]]]:
    """The documents at places, which are the next ones of each of their streams."""
    places = {(first, stream) for first, stream, _ in sizes}
    parts: list[tuple[Stream | None, Sequence[Row]]] = []
    for stream, count in Counter(stream for _, stream in places).items():
        asked = {**values, "of": stream}
        # Where some were given up meanwhile, it finds others that have no place here.
        found = _rows(connection, (REACHING_STREAM, WITHIN_STREAM), asked, count)
        rows = [row for row in found if (row[0], stream) in places]
        if rows:
            parts.append((streams[stream], rows))
    return parts


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


def _of_group(
    connection: Connection, group_id: int, values: Mapping[str, int], *, most: int, budget: int
) -> _Found:
    """A page of a whole group: how large the next ones are is asked first."""
    asked = {**values, "group": group_id}
    while sizes := _rows(connection, (REACHING_SIZES, WITHIN_SIZES), asked, most):
        taken = _taken(sizes, budget)
        if rows := _rows(connection, (REACHING, WITHIN), asked, taken):
            more = taken < len(sizes) or len(sizes) == most
            return _Found([(None, rows)], Place(rows[-1][3], rows[-1][0]), more)
        # They have just been given up; there may be others behind them.
    return _Found([], None, more=False)


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
