"""The tables of the event bus: the log of events, who reads it, and what is still to be told.

``events`` is what a broker's exchange is: every event once, under a sequence. It knows nothing of
who reads it; each queue has a place in it, and bindings that its readers match. ``happenings`` is
the outbox of what the service tells of itself beside the changes of its groups.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text

from aggregator.store.tables import Id, metadata

# One row. Who publishes draws from it at the end of the transaction, so that sequences become
# visible in order: a reader that asks for all after a sequence never misses one.
event_sequence = Table(
    "event_sequence",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("sequence", Id, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("exchange", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("headers", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("events_by_time", "at"),
)

#: Of a queue, in `auto_delete`: kept for ever; gone with its last reader; fetched from, and gone
#: when nobody has done so for long.
KEPT, GOES, FETCHED = 0, 1, 2

# Queues with a name. What lies up to `position` was handed to one of its readers, or was none of
# its business.
event_queues = Table(
    "event_queues",
    metadata,
    Column("name", Text, primary_key=True),
    Column("auto_delete", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),
    # When somebody was last there to take from it.
    Column("used", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


def _queue(*, key: bool = False) -> Column[str]:
    return Column(
        "queue",
        Text,
        ForeignKey("event_queues.name", ondelete="CASCADE"),
        primary_key=key,
        nullable=False,
    )


event_bindings = Table(
    "event_bindings",
    metadata,
    _queue(key=True),
    Column("exchange", Text, primary_key=True),
    Column("pattern", Text, primary_key=True),
    sqlite_with_rowid=False,
)

# Who receives from a queue, and until when it is taken to be there.
event_readers = Table(
    "event_readers",
    metadata,
    Column("reader", Text, primary_key=True),
    _queue(),
    Column("until", BigInteger, nullable=False),
    Index("event_readers_by_queue", "queue"),
    sqlite_with_rowid=False,
)

# What a reader was handed and has not dealt with: another takes it once that one is gone.
event_claims = Table(
    "event_claims",
    metadata,
    _queue(key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("reader", Text, nullable=False),
    sqlite_with_rowid=False,
)

happenings = Table(
    "happenings",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    # 0 for what is of no group; the key of an entry or of a subscription, and what else is said.
    Column("group_id", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("detail", Text, nullable=False),
    sqlite_autoincrement=True,
)

# Of which start of the service each host has told.
containers = Table(
    "containers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("started", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
