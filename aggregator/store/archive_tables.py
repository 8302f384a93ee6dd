"""The tables of archives: what was delivered of each entry, the numbers taken out of it.

A stream is what came of one entry. A span is a document with the time for which it came again and
again unchanged; it lies in one day (UTC), as do all its deliveries. The last span of a stream grows
in the stream's own small row (`first`, `last`, `deliveries`, `digest`), and its own row is brought
up to that when the next one begins: so an unchanged delivery touches no document. Days are
instants, microseconds. On PostgreSQL spans and points are partitioned by the day.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from aggregator.store.tables import Id, metadata

#: Microseconds of a day.
DAY = 86_400_000_000

# `address` and `reference` tell the member, whatever the entry's key; `digest` is empty where the
# next delivery begins a span whatever it holds. New documents are compressed against `base`.
archive_streams = Table(
    "archive_streams",
    metadata,
    Column("id", Id, primary_key=True),
    Column("group_id", Id, ForeignKey("groups.id"), nullable=False),
    Column("entry_key", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("epr", LargeBinary, nullable=False),
    Column("born", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("deliveries", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("base", BigInteger, nullable=False),
    # No document of it has more bytes.
    Column("largest", BigInteger, nullable=False),
    UniqueConstraint("group_id", "entry_key", name="archive_streams_by_entry"),
    Index("archive_streams_by_member", "group_id", "address"),
)

# The document's children are packed and compressed against `base`; `size` is their size before
# that, `stored` after it, with the base where it is the first to need that.
archive_spans = Table(
    "archive_spans",
    metadata,
    Column("stream_id", Id, primary_key=True, autoincrement=False),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("group_id", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("deliveries", BigInteger, nullable=False),
    Column("base", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("stored", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index("archive_spans_by_time", "group_id", "first", "stream_id"),
    postgresql_partition_by="RANGE (first)",
)

# `replaced` is when a stream took another one: who began a span later does not need it.
archive_bases = Table(
    "archive_bases",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("stream_id", BigInteger, nullable=False),
    Column("replaced", BigInteger),
    Column("content", LargeBinary, nullable=False),
    Index("archive_bases_by_stream", "stream_id"),
)

# What each day holds of a group, so that nobody has to count: spans, their bytes, points.
archive_days = Table(
    "archive_days",
    metadata,
    Column("group_id", BigInteger, primary_key=True, autoincrement=False),
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("spans", BigInteger, nullable=False),
    Column("stored", BigInteger, nullable=False),
    Column("points", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

archive_series = Table(
    "archive_series",
    metadata,
    Column("id", Id, primary_key=True),
    Column("group_id", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("stream_id", BigInteger, nullable=False),
    UniqueConstraint("stream_id", "name", name="archive_series_by_stream"),
    Index("archive_series_by_name", "group_id", "name", "id"),
)

archive_points = Table(
    "archive_points",
    metadata,
    Column("series_id", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("value", Float(53), nullable=False),
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (at)",
)

# `width` microseconds from `start` on; `last` is the value at `last_at`.
archive_buckets = Table(
    "archive_buckets",
    metadata,
    Column("series_id", BigInteger, primary_key=True, autoincrement=False),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("width", BigInteger, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
    Column("least", Float(53), nullable=False),
    Column("most", Float(53), nullable=False),
    Column("total", Float(53), nullable=False),
    Column("last", Float(53), nullable=False),
    Column("last_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

PARTITIONED = (archive_spans, archive_points)
