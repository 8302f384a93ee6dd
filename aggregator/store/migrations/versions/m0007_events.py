"""The log of events and its queues, and what the service is to tell of itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLES = (
    "containers", "happenings", "event_claims", "event_readers", "event_bindings", "event_queues",
    "events", "event_sequence",
)  # fmt: skip


def _id(name: str, *, counts: bool = True) -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    if counts:
        return sa.Column(name, kind, primary_key=True)
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _number(name: str, *, key: bool = False) -> sa.Column[int]:
    kind = sa.BigInteger()
    if key:
        return sa.Column(name, kind, primary_key=True, autoincrement=False, nullable=False)
    return sa.Column(name, kind, nullable=False)


def _small(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), primary_key=key, nullable=False)


def _queue(*, key: bool = False) -> sa.Column[str]:
    of = sa.ForeignKey("event_queues.name", ondelete="CASCADE")
    return sa.Column("queue", sa.Text(), of, primary_key=key, nullable=False)


def upgrade() -> None:
    """Make the tables, and say of each change whether collecting began or ceased to fail."""
    turn = sa.Column("turn", sa.Text(), nullable=False, server_default="")
    op.add_column("notices", turn)
    op.create_table(
        "event_sequence",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False, nullable=False),
        _number("last"),
    )
    op.execute("INSERT INTO event_sequence (id, last) VALUES (1, 0)")
    op.create_table(
        "events",
        _id("sequence", counts=False),
        _number("at"),
        *(_text(name) for name in ("exchange", "topic", "content_type", "headers")),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )
    op.create_index("events_by_time", "events", ["at"])
    _make_queues()
    op.create_table(
        "happenings",
        _id("id"),
        _number("at"),
        _text("kind"),
        _number("group_id"),
        _text("key"),
        _text("detail"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "containers", _text("name", key=True), _number("started"), sqlite_with_rowid=False
    )


def _make_queues() -> None:
    op.create_table(
        "event_queues",
        _text("name", key=True),
        _small("auto_delete"),
        _number("position"),
        _number("used"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "event_bindings",
        _queue(key=True),
        _text("exchange", key=True),
        _text("pattern", key=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "event_readers",
        _text("reader", key=True),
        _queue(),
        _number("until"),
        sqlite_with_rowid=False,
    )
    op.create_index("event_readers_by_queue", "event_readers", ["queue"])
    op.create_table(
        "event_claims",
        _queue(key=True),
        _number("sequence", key=True),
        _text("reader"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Remove the tables, with the events in them, and the bus's places among subscriptions."""
    op.execute(
        "UPDATE groups SET subscribers = subscribers - ("
        "SELECT count(*) FROM subscriptions"
        " WHERE subscriptions.group_id = groups.id AND subscriptions.dialect = 'events')"
    )
    op.execute(
        "DELETE FROM subscription_state WHERE subscription_id IN"
        " (SELECT id FROM subscriptions WHERE dialect = 'events')"
    )
    op.execute("DELETE FROM subscriptions WHERE dialect = 'events'")
    for table in _TABLES:
        op.drop_table(table)
    op.drop_column("notices", "turn")
