"""Series as JSON and as rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aggregator.archive.series import Plot, Plotted
from aggregator.wire.times import SECOND, format_datetime

COLUMNS = ("member", "entry", "at", "count", "min", "max", "mean", "last")
Row = tuple[str, str, str, int, float | None, float | None, float | None, float | None]


def as_json(group: str, asked: Plot, found: list[Plotted], after: int | None) -> dict[str, Any]:
    """What there is to say of a plot, gaps included."""
    return {
        "group": group,
        "series": asked.name,
        "from": format_datetime(asked.since),
        "to": format_datetime(asked.until),
        "bucket": asked.width / SECOND,
        "members": [
            {
                "member": one.series.member,
                "entry": one.series.entry,
                "buckets": [
                    dict(zip(COLUMNS[2:], row[2:], strict=True)) for row in rows(asked, one)
                ],
            }
            for one in found
        ],
        "next": after,
    }


def rows(asked: Plot, found: Plotted) -> Iterator[Row]:
    """A row for each bucket; one in which nothing came counts 0 and has no numbers."""
    for start in asked.starts:
        head = found.series.member, found.series.entry, format_datetime(start)
        bucket = found.buckets.get(start)
        if bucket is None:
            yield (*head, 0, None, None, None, None)
        else:
            mean = bucket.total / bucket.count
            yield (*head, bucket.count, bucket.least, bucket.most, mean, bucket.last)
