"""Triggers: what is known of rules, the actions that were wanted, the triggers themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TABLES = ("triggers", "action_counts", "rule_actions", "rule_states")


def _number(name: str, *, optional: bool = False, key: bool = False) -> sa.Column[int]:
    kind = sa.BigInteger()
    if key:
        kind_of_id = kind.with_variant(sa.Integer(), "sqlite")
        return sa.Column(name, kind_of_id, primary_key=True, autoincrement=False, nullable=False)
    return sa.Column(name, kind, nullable=optional)


def _small(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), primary_key=key, nullable=False)


def _bytes(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _index_where(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(
        name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
    )


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "rule_states",
        _text("rule", key=True),
        _number("entry_id"),
        *(
            _number(name, optional=True)
            for name in ("checked_at", "true_since", "fired_at", "recovered_at")
        ),
        _small("alerted"),
        _number("due", optional=True),
        _text("waiting"),
        _bytes("input"),
        _text("trouble"),
        sqlite_with_rowid=False,
    )
    op.create_index("rule_states_by_entry", "rule_states", ["entry_id"])
    _index_where("rule_states_due", "rule_states", ["due"], "due IS NOT NULL")
    _make_actions()
    op.create_table(
        "action_counts",
        _number("group_id", key=True),
        _number("total"),
        _number("last_change", optional=True),
        _number("calculated"),
        *(
            sa.Column(name, sa.Float(), nullable=False)
            for name in ("minute_rate", "hour_rate", "day_rate")
        ),
    )
    op.create_table(
        "triggers",
        _text("id", key=True),
        _text("address"),
        _bytes("member"),
        _text("name"),
        _small("enabled"),
        _text("rule"),
        _text("owner"),
        _number("created"),
        _number("version"),
    )
    op.create_index("triggers_by_address", "triggers", ["address"])


def _make_actions() -> None:
    op.create_table(
        "rule_actions",
        _text("id", key=True),
        _text("rule"),
        _number("group_id"),
        _number("entry_id"),
        _small("slot"),
        _text("script"),
        _text("kind"),
        _number("at"),
        _text("state"),
        _small("attempts"),
        _number("due", optional=True),
        _text("claimer"),
        _number("ended", optional=True),
        _bytes("input"),
        _bytes("output"),
        _text("message"),
    )
    op.create_index("rule_actions_by_rule", "rule_actions", ["rule", "at"])
    op.create_index("rule_actions_by_end", "rule_actions", ["ended"])
    _index_where("rule_actions_open", "rule_actions", ["state", "due"], "ended IS NULL")
    _index_where("rule_actions_waiting", "rule_actions", ["rule", "at"], "ended IS NULL")


def downgrade() -> None:
    """Remove the tables, with what rules and triggers were known."""
    for table in _TABLES:
        op.drop_table(table)
