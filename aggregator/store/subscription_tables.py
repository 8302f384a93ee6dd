"""The tables of who subscribed here, and of what they are to be told.

``notices`` is the outbox: what there is to tell of a change, written in the transaction of the
change and under its sequence, for groups that somebody subscribed to. It holds no message: each
subscription has read it up to its own ``sent``, and its messages are made when they are sent, in
its dialect and by its filter. So a change costs the same for one subscriber and for a thousand.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from aggregator.store.tables import Id, metadata

#: What stands for a dialect where it is the event bus that is told.
BUS = "events"

# `entry_id` is 0 for a subscription to the group itself. `request` is the Subscribe as JSON.
# `pull_point` is the id of the one where its messages wait, 0 where its consumer is notified.
subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("group_id", BigInteger, nullable=False),
    Column("entry_id", BigInteger, nullable=False),
    Column("entry_key", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("dialect", Text, nullable=False),
    Column("consumer", LargeBinary, nullable=False),
    Column("request", Text, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("pull_point", BigInteger, nullable=False, server_default="0"),
    Index("subscriptions_by_group", "group_id"),
    sqlite_autoincrement=True,
)

# `sent` is the last sequence of the group that the consumer has, or that was none of its business;
# `dropped` counts the changes that it was not told of because it had stayed away.
subscription_state = Table(
    "subscription_state",
    metadata,
    Column(
        "subscription_id",
        Id,
        ForeignKey("subscriptions.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("termination", BigInteger),
    Column("sent", BigInteger, nullable=False),
    # 0, or one more than the group's sequence at the pause: what came before is told nevertheless.
    Column("paused", BigInteger, nullable=False),
    # What came in the last pause lies after the one, up to the other.
    Column("skip_after", BigInteger, nullable=False),
    Column("skip_to", BigInteger, nullable=False),
    Column("suspended", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("error_since", BigInteger),
    Column("dropped", BigInteger, nullable=False),
    Index("subscription_state_by_termination", "termination"),
)

# The entry as it was after the change; of one that was removed, before it.
notices = Table(
    "notices",
    metadata,
    Column("group_id", Id, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("entry_id", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("member", LargeBinary, nullable=False),
    Column("address", Text, nullable=False),
    Column("dialect", Text, nullable=False),
    Column("config", LargeBinary, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("termination", BigInteger),
    Column("last_success", BigInteger),
    Column("failures", Integer, nullable=False),
    Column("error_code", Text, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("error_since", BigInteger),
    # Whether collecting began to fail with the change ("failing") or ceased to ("recovered").
    Column("turn", Text, nullable=False, server_default=""),
)
