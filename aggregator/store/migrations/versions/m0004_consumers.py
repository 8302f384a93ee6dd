"""What the service subscribed to: its endpoints for notifications, and what came in there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _id() -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("id", kind, primary_key=True)


def _number(name: str, *, optional: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=optional)


def _text(name: str, *, unique: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False, unique=unique)


def _blob(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def upgrade() -> None:
    """Make the tables."""
    established = sa.Column("established", sa.Integer(), nullable=False, server_default="0")
    op.add_column("entries", established)
    op.create_table(
        "consumers",
        _id(),
        _text("token", unique=True),
        _number("group_id"),
        sa.Column(
            "entry_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.ForeignKey("entries.id", ondelete="CASCADE"),
            nullable=True,
        ),
        _number("created"),
        sqlite_autoincrement=True,
    )
    op.create_index("consumers_by_entry", "consumers", ["entry_id"])
    op.create_table(
        "inbox",
        _id(),
        sa.Column(
            "consumer_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.ForeignKey("consumers.id", ondelete="CASCADE"),
            nullable=False,
        ),
        _number("at"),
        _blob("message"),
        sqlite_autoincrement=True,
    )
    op.create_index("inbox_by_consumer", "inbox", ["consumer_id"])
    op.create_table(
        "releases",
        _id(),
        _number("entry_id"),
        _number("group_id"),
        _text("key"),
        _blob("member"),
        _text("address"),
        _blob("config"),
        _text("plan"),
        _text("memory"),
        sa.Column("slot", sa.Integer(), nullable=False),
        _number("at"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Remove the tables."""
    for table in ("releases", "inbox", "consumers"):
        op.drop_table(table)
    op.drop_column("entries", "established")
