"""What an archive holds: documents by time and member, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, bindparam, case, func, not_, or_, select

from aggregator.store.archive_packing import Bases, inflate
from aggregator.store.archive_tables import DAY, archive_bases, archive_spans, archive_streams
from aggregator.store.chunks import chunks
from aggregator.store.content import unpack
from aggregator.store.statement import Row, Statement


class Place(NamedTuple):
    """After which document to go on: they are in the order of their first delivery."""

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


_MEMBERS = (
    select(archive_streams.c.id)
    .where(
        archive_streams.c.group_id == bindparam("group"),
        archive_streams.c.last >= bindparam("since"),
        archive_streams.c.born <= bindparam("until"),
    )
    .order_by(archive_streams.c.id)
)
OF_ADDRESS = Statement(
    _MEMBERS.where(
        archive_streams.c.address == bindparam("address"),
        or_(
            bindparam("any_reference") == 1,
            archive_streams.c.reference == bindparam("reference"),
        ),
    )
)
OF_ENTRY = Statement(_MEMBERS.where(archive_streams.c.entry_key == bindparam("entry_key")))

_is_last = archive_streams.c.first == archive_spans.c.first
_last = case((_is_last, archive_streams.c.last), else_=archive_spans.c.last)
_deliveries = case((_is_last, archive_streams.c.deliveries), else_=archive_spans.c.deliveries)


def _spans(*conditions: ColumnElement[bool]) -> Statement:
    """The next documents, as many as a page may have, and no more than `budget` bytes hold."""
    # No comparison of pairs, which PostgreSQL would begin an index scan by, from the first row on.
    is_behind = and_(
        archive_spans.c.first == bindparam("after_first"),
        archive_spans.c.stream_id <= bindparam("after_stream"),
    )
    page = (
        select(
            archive_spans.c.stream_id,
            archive_streams.c.entry_key,
            archive_streams.c.address,
            archive_spans.c.first,
            _last.label("until"),
            _deliveries.label("came"),
            archive_spans.c.base,
            archive_spans.c.size,
            archive_spans.c.content,
        )
        .join(archive_streams, archive_streams.c.id == archive_spans.c.stream_id)
        .where(*conditions, archive_spans.c.first >= bindparam("begin"), not_(is_behind))
        .order_by(archive_spans.c.first, archive_spans.c.stream_id)
        .limit(bindparam("most"))
        .subquery("page")
    )
    order = (page.c.first, page.c.stream_id)
    before = func.sum(page.c.size).over(order_by=order, rows=(None, 0)) - page.c.size
    summed = select(*page.c, before.label("before")).subquery("summed")
    columns = [column for column in summed.c if column.name != "before"]
    return Statement(
        select(*columns)
        .where(summed.c.before < bindparam("budget"))
        .order_by(summed.c.first, summed.c.stream_id)
    )


# Those that begin within the time that is asked for.
_within = archive_spans.c.first <= bindparam("until")
_of_group = archive_spans.c.group_id == bindparam("group")
_of_stream = archive_spans.c.stream_id == bindparam("of")
WITHIN = _spans(_of_group, _within)
WITHIN_STREAM = _spans(_of_stream, _within)

# Those that began before it and last into it: of each stream the last one at most, and a span does
# not reach beyond its day.
_earlier = archive_spans.alias("earlier")
_latest = (
    select(func.max(_earlier.c.first))
    .where(
        _earlier.c.stream_id == archive_streams.c.id,
        _earlier.c.first < bindparam("since"),
        _earlier.c.first >= bindparam("day"),
    )
    .scalar_subquery()
    .correlate(archive_streams)
)
_reaching = (
    archive_spans.c.first == _latest,
    archive_spans.c.first < bindparam("since"),
    _last >= bindparam("since"),
    archive_streams.c.last >= bindparam("since"),
    archive_streams.c.born < bindparam("since"),
)
REACHING = _spans(archive_streams.c.group_id == bindparam("group"), *_reaching)
REACHING_STREAM = _spans(archive_streams.c.id == bindparam("of"), *_reaching)
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
    """The next documents: at most `most`, and none after `budget` bytes of them."""
    at = after or Place(-1, 0)
    values = {
        "since": wanted.since,
        "until": wanted.until,
        "day": wanted.since - wanted.since % DAY,
        "after_first": at.first,
        "after_stream": at.stream,
        "budget": budget,
    }
    streams = _streams(connection, group_id, wanted)
    if streams is None:
        asked = {**values, "group": group_id}
        rows = _rows(connection, (REACHING, WITHIN), asked, most=most)
    else:
        rows = []
        for one in streams:
            asked = {**values, "of": one}
            rows += _rows(connection, (REACHING_STREAM, WITHIN_STREAM), asked, most=most)
        rows.sort(key=lambda row: (row[3], row[0]))
    taken = _within_limits(rows, most=most, budget=budget)
    is_full = len(taken) == most or sum(row[7] for row in taken) >= budget
    return Page(_unpacked(connection, taken, bases), is_full or len(taken) < len(rows))


def _rows(
    connection: Connection,
    statements: tuple[Statement, Statement],
    values: dict[str, int],
    *,
    most: int,
) -> list[Row]:
    """Spans that reach into the time that is asked for, then those that begin within it."""
    reaching, within = statements
    rows: list[Row] = []
    if values["after_first"] < values["since"]:
        begin = max(values["day"], values["after_first"])
        rows = reaching.rows(connection, **values, begin=begin, most=most)
    left = values["budget"] - sum(row[7] for row in rows)
    if len(rows) < most and left > 0:
        begin = max(values["since"], values["after_first"])
        asked = {**values, "begin": begin, "budget": left}
        rows += within.rows(connection, **asked, most=most - len(rows))
    return rows


def _within_limits(rows: Sequence[Row], *, most: int, budget: int) -> Sequence[Row]:
    total = 0
    for number, row in enumerate(rows[:most]):
        if total >= budget:
            return rows[:number]
        total += row[7]
    return rows[:most]


def _streams(connection: Connection, group_id: int, wanted: Wanted) -> list[int] | None:
    """The streams that are asked for, None for all of the group."""
    if not (wanted.address or wanted.entry_key):
        return None
    found: set[int] | None = None
    asked = {"group": group_id, "since": wanted.since, "until": wanted.until}
    if wanted.address:
        rows = OF_ADDRESS.rows(
            connection,
            **asked,
            address=wanted.address,
            reference=wanted.reference,
            any_reference=int(not wanted.reference),
        )
        found = {int(row[0]) for row in rows}
    if wanted.entry_key:
        rows = OF_ENTRY.rows(connection, **asked, entry_key=wanted.entry_key)
        of_entry = {int(row[0]) for row in rows}
        found = of_entry if found is None else found & of_entry
    return sorted(found or ())


def _unpacked(connection: Connection, rows: Sequence[Row], bases: Bases) -> list[Span]:
    known = _bases(connection, {int(row[6]) for row in rows}, bases)
    spans = []
    for stream, key, address, first, last, deliveries, base, size, content in rows:
        packed = inflate(bytes(content), known[base], size=size)
        spans.append(Span(stream, key, address, first, last, deliveries, size, unpack(packed)))
    return spans


def _bases(connection: Connection, ids: set[int], bases: Bases) -> dict[int, bytes]:
    found = {number: base for number in ids if (base := bases.get(number)) is not None}
    missing = sorted(ids - set(found) - {0})
    for chunk in chunks(missing):
        for number, content in connection.execute(_BASES, {"ids": chunk}):
            found[number] = inflate(bytes(content), b"", size=2**20)
            bases.put(number, found[number])
    found.setdefault(0, b"")
    return found
