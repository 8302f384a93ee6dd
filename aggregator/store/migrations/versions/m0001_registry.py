"""The registry: groups, entries, the log of changes, and who works for them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLES = (
    "groups",
    "owners",
    "entries",
    "entry_state",
    "entry_health",
    "entry_data",
    "changes",
    "leases",
    "accumulators",
    "processes",
    "service",
    "sink_versions",
    "subscriptions",
)


def upgrade() -> None:
    """Make the tables."""
    _make_groups()
    _make_entries()
    _make_rows_of_entries()
    _make_changes()
    _make_processes()
    _make_accumulators()
    _make_plugins_and_subscribers()


def downgrade() -> None:
    """Remove the tables and all that is in them."""
    for table in reversed(_TABLES):
        op.drop_table(table)


def _id() -> sa.Column[int]:
    return sa.Column("id", _ID, primary_key=True)


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), primary_key=key, nullable=False)


def _number(name: str, *, optional: bool = False, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), primary_key=key, autoincrement=False, nullable=optional)


def _blob(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _rate(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Float(precision=53), nullable=False)


def _small(name: str, *, key: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), primary_key=key, autoincrement=False, nullable=False)


def _group(*, key: bool = False) -> sa.Column[int]:
    return sa.Column(
        "group_id",
        _ID,
        sa.ForeignKey("groups.id"),
        primary_key=key,
        autoincrement=False,
        nullable=False,
    )


def _entry() -> sa.Column[int]:
    return sa.Column(
        "entry_id",
        _ID,
        sa.ForeignKey("entries.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )


def _make_groups() -> None:
    op.create_table(
        "groups",
        _id(),
        sa.Column("name", sa.Text(), nullable=False, unique=True),
        _number("sequence"),
        _number("pruned_to"),
        _number("entries"),
    )
    op.create_table(
        "owners",
        _group(key=True),
        _text("owner", key=True),
        _number("entries"),
        sqlite_with_rowid=False,
    )


def _make_entries() -> None:
    op.create_table(
        "entries",
        _id(),
        _group(),
        _blob("member"),
        _text("address"),
        _text("dialect"),
        _blob("config"),
        _text("owner"),
        _text("origin"),
        _text("plan"),
        _text("sink_plans"),
        _text("fingerprint"),
        _number("added"),
        sqlite_autoincrement=True,
    )
    op.create_index("entries_by_group", "entries", ["group_id", "id"])
    has_fingerprint = sa.text("fingerprint != ''")
    op.create_index(
        "entries_by_fingerprint",
        "entries",
        ["group_id", "fingerprint"],
        sqlite_where=has_fingerprint,
        postgresql_where=has_fingerprint,
    )


def _make_rows_of_entries() -> None:
    op.create_table(
        "entry_state",
        _entry(),
        _number("group_id"),
        sa.Column("key", sa.Text(), nullable=False, unique=True),
        _small("slot"),
        _number("termination", optional=True),
        _number("due", optional=True),
        _number("interval"),
        _number("version"),
    )
    op.create_index("entry_state_by_termination", "entry_state", ["termination", "group_id"])
    op.create_table(
        "entry_health",
        _entry(),
        _number("last_attempt", optional=True),
        _number("epoch"),
        _number("last_success", optional=True),
        _small("failures"),
        _text("error_code"),
        _text("error_message"),
        _number("error_since", optional=True),
        _number("skipped"),
        _text("digest"),
        _text("memory"),
        _number("version"),
    )
    op.create_table("entry_data", _entry(), _blob("data"))


def _make_changes() -> None:
    op.create_table(
        "changes",
        _group(key=True),
        _number("sequence", key=True),
        _number("at"),
        _number("entry_id"),
        _text("kind"),
        sqlite_with_rowid=False,
    )


def _make_processes() -> None:
    op.create_table(
        "leases", _small("shard", key=True), _text("holder"), _number("epoch"), _number("expires")
    )
    op.create_table(
        "processes",
        _text("process", key=True),
        _text("role"),
        _text("boot"),
        _number("pid"),
        _number("pid_started"),
        _number("heartbeat"),
        sqlite_with_rowid=False,
    )
    op.create_table("service", _small("id", key=True), _number("started"))


def _make_accumulators() -> None:
    op.create_table(
        "accumulators",
        _group(key=True),
        _text("process", key=True),
        _number("total"),
        _rate("minute_rate"),
        _rate("hour_rate"),
        _rate("day_rate"),
        _number("calculated"),
        _number("last_change", optional=True),
        sqlite_with_rowid=False,
    )


def _make_plugins_and_subscribers() -> None:
    op.create_table(
        "sink_versions", _text("sink", key=True), _small("version"), sqlite_with_rowid=False
    )
    op.create_table(
        "subscriptions",
        _id(),
        sa.Column("key", sa.Text(), nullable=False, unique=True),
        _group(),
        _number("entry_id", optional=True),
        _text("owner"),
        _text("origin"),
        _number("created"),
        _number("termination", optional=True),
        sqlite_autoincrement=True,
    )
