"""Who subscribed to groups and entries, and what they are to be told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _id(name: str) -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column(name, kind, primary_key=True)


def _number(name: str, *, optional: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=optional)


def _small(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _blob(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def upgrade() -> None:
    """Make the tables; the one for subscriptions was there, and nothing ever wrote to it."""
    for name in ("subscribers", "subscribed"):
        column = sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")
        op.add_column("groups", column)
    op.drop_table("subscriptions")
    _make_subscriptions()
    _make_states()
    _make_notices()


def _make_subscriptions() -> None:
    op.create_table(
        "subscriptions",
        _id("id"),
        sa.Column("key", sa.Text(), nullable=False, unique=True),
        _number("group_id"),
        _number("entry_id"),
        _text("entry_key"),
        _text("owner"),
        _text("origin"),
        _number("created"),
        _text("dialect"),
        _blob("consumer"),
        _text("request"),
        _small("slot"),
        sqlite_autoincrement=True,
    )
    op.create_index("subscriptions_by_group", "subscriptions", ["group_id"])


def _make_states() -> None:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "subscription_state",
        sa.Column(
            "subscription_id",
            kind,
            sa.ForeignKey("subscriptions.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        _number("termination", optional=True),
        _number("sent"),
        _number("paused"),
        _number("skip_after"),
        _number("skip_to"),
        _small("suspended"),
        _small("failures"),
        _text("error"),
        _number("error_since", optional=True),
        _number("dropped"),
    )
    op.create_index("subscription_state_by_termination", "subscription_state", ["termination"])


def _make_notices() -> None:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "notices",
        sa.Column("group_id", kind, primary_key=True, autoincrement=False),
        sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
        _number("at"),
        _text("kind"),
        _number("entry_id"),
        _text("key"),
        _blob("member"),
        _text("address"),
        _text("dialect"),
        _blob("config"),
        _blob("data"),
        _number("termination", optional=True),
        _number("last_success", optional=True),
        _small("failures"),
        _text("error_code"),
        _text("error_message"),
        _number("error_since", optional=True),
    )


def downgrade() -> None:
    """Remove the tables, but for the one that was there before."""
    for table in ("notices", "subscription_state", "subscriptions"):
        op.drop_table(table)
    op.create_table(
        "subscriptions",
        _id("id"),
        sa.Column("key", sa.Text(), nullable=False, unique=True),
        _number("group_id"),
        _number("entry_id", optional=True),
        _text("owner"),
        _text("origin"),
        _number("created"),
        _number("termination", optional=True),
        sqlite_autoincrement=True,
    )
    for name in ("subscribed", "subscribers"):
        op.drop_column("groups", name)
