"""Numbers that get old: many points become one bucket, which says how they were."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sqlalchemy import BigInteger, bindparam, case, cast, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from aggregator.store.archive_retention import Day, count_points
from aggregator.store.archive_tables import (
    DAY,
    archive_buckets,
    archive_points,
    archive_series,
)
from aggregator.store.statement import Row, Statement
from aggregator.store.trouble import DATABASE_ERRORS, cause, is_locked, is_lost, is_passing
from aggregator.store.write import Write

_of_series = archive_points.c.series_id == bindparam("of")
_in_day = (archive_points.c.at >= bindparam("day"), archive_points.c.at < bindparam("until"))
NEXT = Statement(
    select(archive_series.c.id)
    .where(
        archive_series.c.group_id == bindparam("group"),
        archive_series.c.id > bindparam("after"),
        select(archive_points.c.at)
        .where(archive_points.c.series_id == archive_series.c.id, *_in_day)
        .limit(1)
        .exists(),
    )
    .order_by(archive_series.c.id)
    .limit(1)
)
_width = cast(bindparam("width"), BigInteger)
_start = (archive_points.c.at - archive_points.c.at % _width).label("start")
_grouped = (
    select(
        _start,
        func.count().label("count"),
        func.min(archive_points.c.value).label("least"),
        func.max(archive_points.c.value).label("most"),
        func.sum(archive_points.c.value).label("total"),
        func.max(archive_points.c.at).label("last_at"),
    )
    .where(_of_series, *_in_day)
    .group_by(_start)
    .subquery("grouped")
)
_newest = archive_points.alias("newest")
BUCKETS = Statement(
    select(
        _grouped.c.start,
        _grouped.c.count,
        _grouped.c.least,
        _grouped.c.most,
        _grouped.c.total,
        _newest.c.value,
        _grouped.c.last_at,
    ).join(
        _newest,
        (_newest.c.series_id == bindparam("of")) & (_newest.c.at == _grouped.c.last_at),
    )
)
_new = insert(archive_buckets)
_old = archive_buckets.c


def _lesser(which: str) -> object:
    ours, theirs = _old[which], _new.excluded[which]
    comes_first = theirs < ours if which == "least" else theirs > ours
    return case((comes_first, theirs), else_=ours)


_is_later = _new.excluded.last_at > _old.last_at
KEEP = Statement(
    _new.on_conflict_do_update(
        index_elements=list(archive_buckets.primary_key),
        set_={
            "count": _old.count + _new.excluded.count,
            "least": _lesser("least"),
            "most": _lesser("most"),
            "total": _old.total + _new.excluded.total,
            "last": case((_is_later, _new.excluded.last), else_=_old.last),
            "last_at": case((_is_later, _new.excluded.last_at), else_=_old.last_at),
        },
    )
)
DROP_POINTS = Statement(delete(archive_points).where(_of_series, *_in_day))


class Uncondensable(Exception):
    """Raised when numbers of a day have no sum; nothing was changed."""


def condense(write: Write, day: Day, *, after: int, width: int, most: int) -> tuple[int, int]:
    """Put numbers of a group's day into buckets of `width` microseconds, series after series.

    A `width` of 0 drops them. Begins after the series `after`; returns the last one that was dealt
    with, and how many points went, `most` and the rest of a series at most. Raises Uncondensable.
    """
    write.connection.exec_driver_sql("SAVEPOINT condensing")
    try:
        found = _condense(write, day, after=after, width=width, most=most)
    except (Uncondensable, *DATABASE_ERRORS) as error:
        if is_lost(error) or is_locked(error) or is_passing(error):
            raise
        write.connection.exec_driver_sql("ROLLBACK TO SAVEPOINT condensing")
        raise Uncondensable(str(cause(error))) from error
    write.connection.exec_driver_sql("RELEASE SAVEPOINT condensing")
    return found


def _condense(write: Write, day: Day, *, after: int, width: int, most: int) -> tuple[int, int]:
    dropped, until = 0, day.day + DAY
    while dropped < most:
        row = NEXT.row(write.connection, group=day.group_id, after=after, day=day.day, until=until)
        if row is None:
            break
        after = int(row[0])
        asked = {"of": after, "day": day.day, "until": until}
        if width:
            rows = BUCKETS.rows(write.connection, **asked, width=width)
            _keep(write, rows, series=after, width=width)
        dropped += write.run(DROP_POINTS, **asked)
    count_points(write, day, dropped)
    return after, dropped


def _keep(write: Write, rows: Sequence[Row], *, series: int, width: int) -> None:
    names = ("start", "count", "least", "most", "total", "last", "last_at")
    made = [
        {"series_id": series, "width": width, **dict(zip(names, one, strict=True))} for one in rows
    ]
    for one in made:
        total = one["total"]
        # Of what is too large SQLite makes an infinite sum, or none.
        if total is None or not math.isfinite(total):
            raise Uncondensable(f"the numbers of the series {series} have no sum")
    write.run_many(KEEP, made)
