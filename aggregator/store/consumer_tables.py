"""The tables of what the service subscribed to at others.

A row of ``consumers`` is an address of ours that one subscription's notifications come to: who
knows its token may write to its entry. ``inbox`` holds what came there until the collector has
taken it, ``releases`` what is left to undo of entries that are gone.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from aggregator.store.tables import Id, metadata

# `token` is the hash of the token: a copy of the database lets nobody in. `entry_id` is NULL
# while the entry's Add is under way.
consumers = Table(
    "consumers",
    metadata,
    Column("id", Id, primary_key=True),
    Column("token", Text, nullable=False, unique=True),
    Column("group_id", BigInteger, nullable=False),
    Column("entry_id", Id, ForeignKey("entries.id", ondelete="CASCADE")),
    Column("created", BigInteger, nullable=False),
    Index("consumers_by_entry", "entry_id"),
    sqlite_autoincrement=True,
)

inbox = Table(
    "inbox",
    metadata,
    Column("id", Id, primary_key=True),
    Column(
        "consumer_id",
        Id,
        ForeignKey("consumers.id", ondelete="CASCADE"),
        nullable=False,
        index=False,
    ),
    Column("at", BigInteger, nullable=False),
    Column("message", LargeBinary, nullable=False),
    Index("inbox_by_consumer", "consumer_id"),
    sqlite_autoincrement=True,
)

# `slot` says which shard's collector sees to it, as the entry's did.
releases = Table(
    "releases",
    metadata,
    Column("id", Id, primary_key=True),
    Column("entry_id", BigInteger, nullable=False),
    Column("group_id", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("member", LargeBinary, nullable=False),
    Column("address", Text, nullable=False),
    Column("config", LargeBinary, nullable=False),
    Column("plan", Text, nullable=False),
    Column("memory", Text, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
