"""The tables of pull points: where messages wait for consumers that come for them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, Table, Text

from aggregator.store.tables import Id, metadata

# `token` is the hash of the token, as that of a consumer is. `subscription_id` is of the one
# subscription that the pull point belongs to, and ends with; others were made by themselves.
# `used` is when somebody asked last, `lifetime` for how long, in microseconds, a subscription goes
# on after that; `turn` how often somebody did.
pull_points = Table(
    "pull_points",
    metadata,
    Column("id", Id, primary_key=True),
    Column("token", Text, nullable=False, unique=True),
    Column("subscription_id", Id, ForeignKey("subscriptions.id", ondelete="CASCADE")),
    Column("created", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("lifetime", BigInteger, nullable=False),
    Column("turn", BigInteger, nullable=False),
    Index("pull_points_by_subscription", "subscription_id"),
    sqlite_autoincrement=True,
)

# `message` is a NotificationMessage, standing alone.
pulled = Table(
    "pulled",
    metadata,
    Column("id", Id, primary_key=True),
    Column(
        "pull_point_id",
        Id,
        ForeignKey("pull_points.id", ondelete="CASCADE"),
        nullable=False,
        index=False,
    ),
    Column("at", BigInteger, nullable=False),
    Column("message", LargeBinary, nullable=False),
    Index("pulled_by_pull_point", "pull_point_id", "id"),
    Index("pulled_by_age", "at"),
    sqlite_autoincrement=True,
)
