"""Forgetting of what nothing is kept any more, a slice of an archive's streams at a time.

Each slice looks at so many streams, whether there is something to forget or not: a search for those
that are idle would go through all of them, and take as long as there are many.
"""

from __future__ import annotations

from sqlalchemy import BindParameter, bindparam, delete, exists, select

from aggregator.store.archive_tables import (
    archive_bases,
    archive_buckets,
    archive_points,
    archive_series,
    archive_spans,
    archive_streams,
)
from aggregator.store.statement import Statement
from aggregator.store.write import Write

NEXT = Statement(
    select(archive_streams.c.id)
    .where(
        archive_streams.c.group_id == bindparam("group"), archive_streams.c.id > bindparam("after")
    )
    .order_by(archive_streams.c.id)
    .limit(bindparam("most"))
)
_ids: BindParameter[int] = bindparam("ids", expanding=True)
_EXPIRED = (
    select(archive_buckets.c.series_id, archive_buckets.c.start, archive_buckets.c.width)
    .join(archive_series, archive_series.c.id == archive_buckets.c.series_id)
    .where(archive_series.c.stream_id.in_(_ids), archive_buckets.c.start < bindparam("expired"))
    .limit(bindparam("most"))
)
DROP_BUCKET = Statement(
    delete(archive_buckets).where(
        archive_buckets.c.series_id == bindparam("of"),
        archive_buckets.c.start == bindparam("began"),
        archive_buckets.c.width == bindparam("wide"),
    )
)
_is_idle = (archive_streams.c.id.in_(_ids), archive_streams.c.last < bindparam("before"))
_DROP_SERIES = delete(archive_series).where(
    archive_series.c.stream_id.in_(select(archive_streams.c.id).where(*_is_idle)),
    ~exists().where(archive_points.c.series_id == archive_series.c.id),
    ~exists().where(archive_buckets.c.series_id == archive_series.c.id),
)
_DROP_STREAMS = (
    delete(archive_streams)
    .where(
        *_is_idle,
        ~exists().where(archive_spans.c.stream_id == archive_streams.c.id),
        ~exists().where(archive_series.c.stream_id == archive_streams.c.id),
    )
    .returning(archive_streams.c.id)
)
# A span that began before a base was replaced may need it.
_DROP_REPLACED = delete(archive_bases).where(
    archive_bases.c.stream_id.in_(_ids),
    archive_bases.c.replaced < bindparam("before"),
    ~exists().where(
        archive_spans.c.stream_id == archive_bases.c.stream_id,
        archive_spans.c.first <= archive_bases.c.replaced,
    ),
)
_DROP_BASES = delete(archive_bases).where(archive_bases.c.stream_id.in_(_ids))


def tidy(
    write: Write, group_id: int, *, after: int, before: int, expired: int, most: int, buckets: int
) -> int | None:
    """Look through the next `most` streams of a group, those with an id above `after`.

    Dropped are buckets from before `expired`, as many as `buckets`, and of streams that brought
    nothing since `before` those of which nothing is kept. Returns after which stream to go on,
    None behind the last one.
    """
    rows = NEXT.rows(write.connection, group=group_id, after=after, most=most)
    if not rows:
        return None
    write.wrote = True
    ids = [int(row[0]) for row in rows]
    old = write.connection.execute(_EXPIRED, {"ids": ids, "expired": expired, "most": buckets})
    keys = [{"of": one, "began": start, "wide": width} for one, start, width in old]
    if keys:
        write.run_many(DROP_BUCKET, keys)
    if len(keys) == buckets:
        return after
    asked = {"ids": ids, "before": before}
    write.connection.execute(_DROP_SERIES, asked)
    gone = [int(row[0]) for row in write.connection.execute(_DROP_STREAMS, asked)]
    if gone:
        write.connection.execute(_DROP_BASES, {"ids": gone})
    write.connection.execute(_DROP_REPLACED, asked)
    return ids[-1]
