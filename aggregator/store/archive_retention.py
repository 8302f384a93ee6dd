"""Giving up what archives kept for long enough, a batch at a time."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    delete,
    select,
    tuple_,
    update,
)

from aggregator.store.archive_partitions import drop_partition, partitions
from aggregator.store.archive_tables import (
    DAY,
    PARTITIONED,
    archive_days,
    archive_spans,
    archive_streams,
)
from aggregator.store.archive_writing import COUNT
from aggregator.store.chunks import chunks
from aggregator.store.statement import Statement
from aggregator.store.write import Write

DAYS = Statement(select(archive_days).order_by(archive_days.c.day, archive_days.c.group_id))
_in_day = and_(
    archive_spans.c.group_id == bindparam("group"),
    archive_spans.c.first >= bindparam("day"),
    archive_spans.c.first < bindparam("until"),
)
_place = tuple_(archive_spans.c.first, archive_spans.c.stream_id)
OLDEST = Statement(
    select(archive_spans.c.first, archive_spans.c.stream_id, archive_spans.c.stored)
    .where(_in_day)
    .order_by(archive_spans.c.first, archive_spans.c.stream_id)
    .limit(bindparam("most"))
)
DROP = Statement(
    delete(archive_spans).where(
        _in_day, _place <= tuple_(bindparam("last_first"), bindparam("last_stream"))
    )
)
# A span that is gone grows no more: the next delivery begins another one.
_END = (
    update(archive_streams)
    .where(
        archive_streams.c.id.in_(bindparam("ids", expanding=True)),
        archive_streams.c.first <= bindparam("dropped_to"),
    )
    .values(digest="")
)
END_DAY = Statement(
    update(archive_streams)
    .where(
        archive_streams.c.first >= bindparam("day"), archive_streams.c.first < bindparam("until")
    )
    .values(digest="")
)
NO_SPANS = Statement(
    update(archive_days).where(archive_days.c.day == bindparam("of")).values(spans=0, stored=0)
)
EMPTY_DAYS = Statement(
    delete(archive_days).where(archive_days.c.spans <= 0, archive_days.c.points <= 0)
)


class Day(NamedTuple):
    """What a day holds of a group."""

    group_id: int
    day: int
    spans: int
    stored: int
    points: int


def archived_days(connection: Connection) -> list[Day]:
    """All days of which something is kept, the oldest first."""
    return [Day(*row) for row in DAYS.rows(connection)]


def drop_spans(write: Write, day: Day, *, most: int, enough: int | None = None) -> int:
    """Drop the oldest documents of a group's day; how many.

    At most `most`, and no more than make `enough` bytes.
    """
    until = day.day + DAY
    rows = OLDEST.rows(write.connection, group=day.group_id, day=day.day, until=until, most=most)
    taken, stored = 0, 0
    for _, _, size in rows:
        if enough is not None and stored >= enough:
            break
        taken, stored = taken + 1, stored + int(size)
    if taken == 0:
        # Whatever was counted, there is nothing.
        _recount(write, day, spans=-day.spans, stored=-day.stored)
        return 0
    first, stream, _ = rows[taken - 1]
    dropped = write.run(
        DROP,
        group=day.group_id,
        day=day.day,
        until=until,
        last_first=first,
        last_stream=stream,
    )
    for chunk in chunks(sorted({int(row[1]) for row in rows[:taken]})):
        write.connection.execute(_END, {"ids": chunk, "dropped_to": first})
    _recount(write, day, spans=-dropped, stored=-stored)
    return dropped


def drop_day(write: Write, day: int) -> bool:
    """Drop all documents of a day, where it has a partition; whether that was done."""
    if day not in partitions(write, archive_spans):
        return False
    if not drop_partition(write, archive_spans, day):
        return False
    write.run(END_DAY, day=day, until=day + DAY)
    write.run(NO_SPANS, of=day)
    write.run(EMPTY_DAYS)
    return True


def drop_empty_partitions(write: Write, *, before: int) -> None:
    """Drop partitions of days before an instant that nothing is in any more."""
    for table in PARTITIONED:
        for day, name in partitions(write, table).items():
            if day + DAY <= before:
                ask = f"SELECT 1 FROM {name} LIMIT 1"
                is_empty = write.connection.exec_driver_sql(ask).first() is None
                if is_empty and not drop_partition(write, table, day):
                    return


def _recount(write: Write, day: Day, *, spans: int = 0, stored: int = 0, points: int = 0) -> None:
    counts = {"spans": spans, "stored": stored, "points": points}
    write.run(COUNT, group_id=day.group_id, day=day.day, **counts)
    write.run(EMPTY_DAYS)


def count_points(write: Write, day: Day, dropped: int) -> None:
    """Count that numbers of a day are gone."""
    _recount(write, day, points=-dropped)
