"""Archives: what was delivered, and the numbers taken out of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = (
    "archive_buckets", "archive_points", "archive_series", "archive_days", "archive_bases",
    "archive_spans", "archive_streams",
)  # fmt: skip


def _counted() -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("id", kind, primary_key=True)


def _number(name: str, *, key: bool = False, null: bool = False) -> sa.Column[int]:
    kind = sa.BigInteger()
    if key:
        return sa.Column(name, kind, primary_key=True, autoincrement=False, nullable=False)
    return sa.Column(name, kind, nullable=null)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _bytes(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _value(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Float(53), nullable=False)


def upgrade() -> None:
    """Make the tables; on PostgreSQL with the partitions that take what no other takes."""
    _make_documents()
    _make_series()
    if op.get_bind().dialect.name == "postgresql":
        for table in ("archive_spans", "archive_points"):
            op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")


def _make_documents() -> None:
    identity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "archive_streams",
        _counted(),
        sa.Column("group_id", identity, sa.ForeignKey("groups.id"), nullable=False),
        *(_text(name) for name in ("entry_key", "address", "reference")),
        _bytes("epr"),
        *(_number(name) for name in ("born", "first", "last", "deliveries")),
        _text("digest"),
        _number("base"),
        _number("largest"),
        sa.UniqueConstraint("group_id", "entry_key", name="archive_streams_by_entry"),
    )
    op.create_index("archive_streams_by_member", "archive_streams", ["group_id", "address"])
    op.create_table(
        "archive_spans",
        sa.Column("stream_id", identity, primary_key=True, autoincrement=False, nullable=False),
        _number("first", key=True),
        *(_number(name) for name in ("group_id", "last", "deliveries", "base", "size", "stored")),
        _bytes("content"),
        postgresql_partition_by="RANGE (first)",
    )
    op.create_index("archive_spans_by_time", "archive_spans", ["group_id", "first", "stream_id"])
    op.create_table(
        "archive_bases",
        _number("id", key=True),
        _number("stream_id"),
        _number("replaced", null=True),
        _bytes("content"),
    )
    op.create_index("archive_bases_by_stream", "archive_bases", ["stream_id"])
    op.create_table(
        "archive_days",
        _number("group_id", key=True),
        _number("day", key=True),
        *(_number(name) for name in ("spans", "stored", "points")),
        sqlite_with_rowid=False,
    )


def _make_series() -> None:
    op.create_table(
        "archive_series",
        _counted(),
        _number("group_id"),
        _text("name"),
        _number("stream_id"),
        sa.UniqueConstraint("stream_id", "name", name="archive_series_by_stream"),
    )
    op.create_index("archive_series_by_name", "archive_series", ["group_id", "name", "id"])
    op.create_table(
        "archive_points",
        _number("series_id", key=True),
        _number("at", key=True),
        _value("value"),
        sqlite_with_rowid=False,
        postgresql_partition_by="RANGE (at)",
    )
    op.create_table(
        "archive_buckets",
        *(_number(name, key=True) for name in ("series_id", "start", "width")),
        _number("count"),
        *(_value(name) for name in ("least", "most", "total", "last")),
        _number("last_at"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Remove the tables, with all that is archived."""
    for table in _TABLES:
        op.drop_table(table)
