"""Numbers of an archive one by one, series after series, for who takes all of them."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, or_, select

from aggregator.store.archive_reading import Wanted
from aggregator.store.archive_tables import archive_points, archive_series, archive_streams
from aggregator.store.statement import Statement

NEXT = Statement(
    select(
        archive_series.c.id,
        archive_series.c.name,
        archive_streams.c.address,
        archive_streams.c.entry_key,
    )
    .join(archive_streams, archive_streams.c.id == archive_series.c.stream_id)
    .where(
        archive_series.c.group_id == bindparam("group"),
        archive_series.c.id > bindparam("after"),
        archive_streams.c.last >= bindparam("since"),
        archive_streams.c.born <= bindparam("until"),
        or_(bindparam("member") == "", archive_streams.c.address == bindparam("member")),
        or_(bindparam("entry") == "", archive_streams.c.entry_key == bindparam("entry")),
    )
    .order_by(archive_series.c.id)
    .limit(1)
)
POINTS = Statement(
    select(archive_points.c.at, archive_points.c.value)
    .where(
        archive_points.c.series_id == bindparam("of"),
        archive_points.c.at > bindparam("after"),
        archive_points.c.at <= bindparam("until"),
    )
    .order_by(archive_points.c.at)
    .limit(bindparam("most"))
)


class NamedSeries(NamedTuple):
    """A series of one entry."""

    id: int
    name: str
    member: str
    entry: str


def series_after(
    connection: Connection, group_id: int, wanted: Wanted, *, after: int
) -> NamedSeries | None:
    """The next series of a group after an id, None where there is no more."""
    row = NEXT.row(
        connection,
        group=group_id,
        after=after,
        since=wanted.since,
        until=wanted.until,
        member=wanted.address,
        entry=wanted.entry_key,
    )
    return None if row is None else NamedSeries(*row)


def points_after(
    connection: Connection, series_id: int, *, after: int, until: int, most: int
) -> list[tuple[int, float]]:
    """The next numbers of a series after an instant, with theirs."""
    rows = POINTS.rows(connection, of=series_id, after=after, until=until, most=most)
    return [(int(at), float(value)) for at, value in rows]
