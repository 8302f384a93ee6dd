"""Reports of nodes, requests of clients, updates and memory of aggregators."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TABLES = (
    "report_memory", "report_aggregators", "report_updates", "report_sequence", "report_requests",
    "report_followers", "reports", "report_nodes",
)  # fmt: skip


def _kind() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _small(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _text(name: str, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), primary_key=key, nullable=False)


def _bytes(name: str, *, nullable: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=nullable)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "report_nodes", _text("node", key=True), _number("since"), sqlite_with_rowid=False
    )
    op.create_table(
        "reports",
        sa.Column("number", _kind(), primary_key=True),
        *(_text(name) for name in ("node", "report_id", "type", "content_type")),
        _number("at"),
        _number("size"),
        _bytes("data", nullable=True),
        _small("state"),
        _small("tries"),
        _number("due"),
        _text("taken"),
        _text("error"),
        sqlite_autoincrement=True,
    )
    op.create_index("reports_by_id", "reports", ["node", "report_id"], unique=True)
    op.create_index("reports_by_node", "reports", ["node", "number"])
    waits, dead = sa.text("state = 0"), sa.text("state = 2")
    for name, columns, some in (
        ("reports_waiting", ["number"], waits),
        ("reports_of_node", ["node", "size"], waits),
        ("reports_dead", ["node", "number"], dead),
    ):
        op.create_index(name, "reports", columns, sqlite_where=some, postgresql_where=some)
    consumer = sa.ForeignKey("consumers.id", ondelete="CASCADE")
    op.create_table(
        "report_followers",
        sa.Column("consumer_id", _kind(), consumer, primary_key=True, autoincrement=False),
        _text("node"),
        _text("type"),
    )
    op.create_index("report_followers_by_node", "report_followers", ["node", "type"])
    _make_requests()
    _make_updates()


def _make_requests() -> None:
    op.create_table(
        "report_requests",
        sa.Column("id", _kind(), primary_key=True),
        _text("type"),
        _text("arguments"),
        _number("deadline"),
        _text("outcome"),
        _text("kind"),
        _bytes("answer"),
        sqlite_autoincrement=True,
    )
    op.create_index("report_requests_by_outcome", "report_requests", ["outcome", "id"])


def _make_updates() -> None:
    op.create_table(
        "report_sequence",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False, nullable=False),
        _number("last"),
    )
    op.execute("INSERT INTO report_sequence (id, last) VALUES (1, 0)")
    op.create_table(
        "report_updates",
        sa.Column("sequence", _kind(), primary_key=True, autoincrement=False),
        _number("at"),
        *(_text(name) for name in ("aggregator", "type", "kind")),
        _number("size"),
        _bytes("data"),
    )
    op.create_table(
        "report_aggregators",
        _text("name", key=True),
        _small("position"),
        *(_text(name) for name in ("reports", "requests", "updates")),
        _number("since"),
        _text("error"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "report_memory", _text("aggregator", key=True), _text("data"), sqlite_with_rowid=False
    )


def downgrade() -> None:
    """Remove the tables, with the reports in them."""
    for table in _TABLES:
        op.drop_table(table)
