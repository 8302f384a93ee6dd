"""Pull points, and which subscriptions have one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _kind() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def upgrade() -> None:
    """Make the tables."""
    column = sa.Column("pull_point", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("subscriptions", column)
    op.create_table(
        "pull_points",
        sa.Column("id", _kind(), primary_key=True),
        sa.Column("token", sa.Text(), nullable=False, unique=True),
        sa.Column(
            "subscription_id", _kind(), sa.ForeignKey("subscriptions.id", ondelete="CASCADE")
        ),
        _number("created"),
        _number("used"),
        _number("lifetime"),
        _number("turn"),
        sqlite_autoincrement=True,
    )
    op.create_index("pull_points_by_subscription", "pull_points", ["subscription_id"])
    op.create_table(
        "pulled",
        sa.Column("id", _kind(), primary_key=True),
        sa.Column(
            "pull_point_id",
            _kind(),
            sa.ForeignKey("pull_points.id", ondelete="CASCADE"),
            nullable=False,
        ),
        _number("at"),
        sa.Column("message", sa.LargeBinary(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("pulled_by_pull_point", "pulled", ["pull_point_id", "id"])
    op.create_index("pulled_by_age", "pulled", ["at"])
