"""Numbers of an archive in buckets: those that are kept one by one, and those that were once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import BigInteger, Connection, bindparam, cast, func, or_, select

from aggregator.store.archive_condensing import BUCKETS
from aggregator.store.archive_tables import (
    archive_buckets,
    archive_points,
    archive_series,
    archive_streams,
)
from aggregator.store.statement import Row, Statement

NAMES = Statement(
    select(archive_series.c.name)
    .where(archive_series.c.group_id == bindparam("group"))
    .distinct()
    .order_by(archive_series.c.name)
)
SERIES = Statement(
    select(
        archive_series.c.id,
        archive_streams.c.address,
        archive_streams.c.entry_key,
    )
    .join(archive_streams, archive_streams.c.id == archive_series.c.stream_id)
    .where(
        archive_series.c.group_id == bindparam("group"),
        archive_series.c.name == bindparam("of"),
        archive_series.c.id > bindparam("after"),
        archive_streams.c.last >= bindparam("since"),
        archive_streams.c.born < bindparam("until"),
        or_(bindparam("member") == "", archive_streams.c.address == bindparam("member")),
        or_(bindparam("entry") == "", archive_streams.c.entry_key == bindparam("entry")),
    )
    .order_by(archive_series.c.id)
    .limit(bindparam("most"))
)
_width = cast(bindparam("width"), BigInteger)
_start = (archive_buckets.c.start - archive_buckets.c.start % _width).label("start")
_condensed = (
    select(
        _start,
        func.sum(archive_buckets.c.count).label("count"),
        func.min(archive_buckets.c.least).label("least"),
        func.max(archive_buckets.c.most).label("most"),
        func.sum(archive_buckets.c.total).label("total"),
        func.max(archive_buckets.c.last_at).label("last_at"),
    )
    .where(
        archive_buckets.c.series_id == bindparam("of"),
        archive_buckets.c.start >= bindparam("day"),
        archive_buckets.c.start < bindparam("until"),
    )
    .group_by(_start)
    .subquery("condensed")
)
_newest = archive_buckets.alias("newest")
CONDENSED = Statement(
    select(
        _condensed.c.start,
        _condensed.c.count,
        _condensed.c.least,
        _condensed.c.most,
        _condensed.c.total,
        _newest.c.last,
        _condensed.c.last_at,
    ).join(
        _newest,
        (_newest.c.series_id == bindparam("of"))
        & (_newest.c.last_at == _condensed.c.last_at)
        & (_newest.c.start >= _condensed.c.start)
        & (_newest.c.start <= _condensed.c.last_at),
    )
)
POINTS = Statement(
    select(archive_points.c.at, archive_points.c.value)
    .where(
        archive_points.c.series_id == bindparam("of"),
        archive_points.c.at >= bindparam("since"),
        archive_points.c.at < bindparam("until"),
    )
    .order_by(archive_points.c.at)
    .limit(bindparam("most"))
)
KEPT = Statement(
    select(
        archive_buckets.c.start,
        archive_buckets.c.count,
        archive_buckets.c.least,
        archive_buckets.c.most,
        archive_buckets.c.total,
        archive_buckets.c.last,
        archive_buckets.c.last_at,
    )
    .where(
        archive_buckets.c.series_id == bindparam("of"),
        archive_buckets.c.start >= bindparam("since"),
        archive_buckets.c.start < bindparam("until"),
    )
    .order_by(archive_buckets.c.start)
    .limit(bindparam("most"))
)


class SeriesOf(NamedTuple):
    """A series of one entry."""

    id: int
    member: str
    entry: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """What came within a time: how many numbers, how they were, which was the last, and when."""

    count: int
    least: float
    most: float
    total: float
    last: float
    last_at: int

    def with_(self, other: Bucket) -> Bucket:
        """This and what else came in the same time."""
        later = max(self, other, key=lambda one: one.last_at)
        return Bucket(
            self.count + other.count,
            min(self.least, other.least),
            max(self.most, other.most),
            self.total + other.total,
            later.last,
            later.last_at,
        )


def series_names(connection: Connection, group_id: int) -> list[str]:
    """The names of all series of which a group keeps something."""
    return [str(row[0]) for row in NAMES.rows(connection, group=group_id)]


def find_series(
    connection: Connection,
    group_id: int,
    name: str,
    *,
    since: int,
    until: int,
    member: str = "",
    entry: str = "",
    after: int = 0,
    most: int,
) -> list[SeriesOf]:
    """The series of a name, one for each entry that brought something in the time; empty is any."""
    rows = SERIES.rows(
        connection,
        group=group_id,
        of=name,
        since=since,
        until=until,
        member=member,
        entry=entry,
        after=after,
        most=most,
    )
    return [SeriesOf(*row) for row in rows]


def read_buckets(
    connection: Connection, series_id: int, *, since: int, until: int, width: int
) -> dict[int, Bucket]:
    """Buckets of `width` by their beginning, those alone in which something came.

    `since` and `until` are multiples of the width; what was condensed into wider ones comes with
    the beginning of those.
    """
    found: dict[int, Bucket] = {}
    asked = {"of": series_id, "day": since, "until": until, "width": width}
    for statement in (CONDENSED, BUCKETS):
        for row in statement.rows(connection, **asked):
            start, bucket = _bucket(row)
            found[start] = found[start].with_(bucket) if start in found else bucket
    return found


def _bucket(row: Row) -> tuple[int, Bucket]:
    start, count, least, most, total, last, last_at = row
    return int(start), Bucket(int(count), least, most, total, last, int(last_at))


def read_points(
    connection: Connection, series_id: int, *, since: int, until: int, most: int
) -> list[tuple[int, Bucket]]:
    """The numbers that are kept one by one, each as a bucket of its own, the first `most`."""
    rows = POINTS.rows(connection, of=series_id, since=since, until=until, most=most)
    return [(int(at), Bucket(1, value, value, value, value, int(at))) for at, value in rows]


def read_kept(
    connection: Connection, series_id: int, *, since: int, until: int, most: int
) -> list[tuple[int, Bucket]]:
    """The buckets that old numbers were condensed into, by their beginning, the first `most`."""
    rows = KEPT.rows(connection, of=series_id, since=since, until=until, most=most)
    return [_bucket(row) for row in rows]
