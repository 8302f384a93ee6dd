"""Measurements of our own: tests, throughput, delays and their buckets."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TABLES = ("measured_buckets", "measured_delays", "measured_throughput", "measured_tests")
_DELAY = "min_delay, max_delay, min_ttl, max_ttl, sent, lost, duplicates, max_error"


def _key(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _number(name: str, *, nullable: bool = True) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _real(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Float(53))


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _rows(table: str, keys: tuple[str, ...], *columns: sa.Column[Any], kept: str = "") -> None:
    """A table in the order of its key: on PostgreSQL the index of the key holds `kept` as well."""
    if op.get_bind().dialect.name != "postgresql":
        key = sa.PrimaryKeyConstraint(*keys)
        op.create_table(table, *map(_key, keys), *columns, key, sqlite_with_rowid=False)
        return
    op.create_table(table, *map(_key, keys), *columns)
    op.execute(f"ALTER TABLE {table} ADD PRIMARY KEY ({', '.join(keys)}) INCLUDE ({kept})")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "measured_tests",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        *(_text(name) for name in ("kind", "source", "destination", "settings")),
        _number("longest", nullable=False),
    )
    path = ["kind", "source", "destination", "settings"]
    op.create_index("measured_tests_by_path", "measured_tests", path, unique=True)
    op.create_index("measured_tests_by_destination", "measured_tests", ["destination"])
    _rows(
        "measured_throughput",
        ("test_id", "at"),
        *(_real(name) for name in ("throughput", "jitter")),
        *(_number(name) for name in ("lost", "sent")),
        kept="throughput, jitter, lost, sent",
    )
    _rows(
        "measured_delays",
        ("test_id", "begins", "ends"),
        *(_real(name) for name in ("min_delay", "max_delay")),
        *(sa.Column(name, sa.Integer()) for name in ("min_ttl", "max_ttl")),
        *(_number(name) for name in ("sent", "lost", "duplicates")),
        _real("max_error"),
        kept=_DELAY,
    )
    _rows(
        "measured_buckets",
        ("test_id", "begins", "ends", "place"),
        _number("count", nullable=False),
        kept="count",
    )


def downgrade() -> None:
    """Remove the tables, with what was measured."""
    for table in _TABLES:
        op.drop_table(table)
