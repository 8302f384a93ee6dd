"""Numbers that were taken out of deliveries, on their way into the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, insert, select

from aggregator.store.archive_tables import archive_points, archive_series
from aggregator.store.chunks import chunks
from aggregator.store.statement import Statement
from aggregator.store.upsert import or_nothing
from aggregator.store.write import Write

_SERIES = select(archive_series.c.stream_id, archive_series.c.name, archive_series.c.id).where(
    archive_series.c.stream_id.in_(bindparam("streams", expanding=True))
)
NEW_SERIES = Statement(
    insert(archive_series).returning(archive_series.c.id), columns=["group_id", "name", "stream_id"]
)
KEEP_POINT = Statement(or_nothing(archive_points))

#: The stream, the instant and the numbers of a delivery.
Taken = tuple[int, int, Mapping[str, float]]


def keep_points(write: Write, group_id: int, taken: Sequence[Taken]) -> None:
    """Keep the numbers of deliveries of a group."""
    taken = [one for one in taken if one[2]]
    if not taken:
        return
    known = _series(write, sorted({stream for stream, _, _ in taken}))
    rows = []
    for stream, at, values in taken:
        for name, value in values.items():
            if (stream, name) not in known:
                [(number,)] = write.rows(NEW_SERIES, group_id=group_id, name=name, stream_id=stream)
                known[stream, name] = number
            rows.append({"series_id": known[stream, name], "at": at, "value": value})
    write.run_many(KEEP_POINT, rows)


def _series(write: Write, streams: Sequence[int]) -> dict[tuple[int, str], int]:
    return {
        (row[0], row[1]): row[2]
        for chunk in chunks(streams)
        for row in write.connection.execute(_SERIES, {"streams": chunk})
    }
