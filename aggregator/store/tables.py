"""The tables: what is large and never changes, what is small and hot, and the log of changes.

Instants are microseconds since 1970 UTC; NULL means never. An entry is spread over four rows, by
who writes them and how often: ``entries`` (written once), ``entry_state`` (written by renewals),
``entry_health`` (written by every collection) and ``entry_data`` (written when content changes).
So a renewal and a collection never wait for each other, and neither touches a large row.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

metadata = MetaData()

#: A number of a row; only an INTEGER counts by itself in SQLite.
Id = BigInteger().with_variant(Integer, "sqlite")


def _entry_id() -> Column[int]:
    return Column(
        "entry_id",
        Id,
        ForeignKey("entries.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )


# `sequence` is the number of the group's last change, `pruned_to` the last one that left the log,
# `entries` counts the rows of the group, expired ones included until they are removed.
groups = Table(
    "groups",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("sequence", BigInteger, nullable=False),
    Column("pruned_to", BigInteger, nullable=False),
    Column("entries", BigInteger, nullable=False),
    # How many subscribed to it or to its entries, and how often any of that changed.
    Column("subscribers", BigInteger, nullable=False, server_default="0"),
    Column("subscribed", BigInteger, nullable=False, server_default="0"),
)

owners = Table(
    "owners",
    metadata,
    Column("group_id", Id, ForeignKey("groups.id"), primary_key=True),
    Column("owner", Text, primary_key=True),
    Column("entries", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Ids are never used twice: a collection that is under way for a removed entry must not be able to
# write into the entry that came after it.
entries = Table(
    "entries",
    metadata,
    Column("id", Id, primary_key=True),
    Column("group_id", Id, ForeignKey("groups.id"), nullable=False),
    Column("member", LargeBinary, nullable=False),
    Column("address", Text, nullable=False),
    Column("dialect", Text, nullable=False),
    Column("config", LargeBinary, nullable=False),
    Column("owner", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("plan", Text, nullable=False),
    Column("sink_plans", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("added", BigInteger, nullable=False),
    # Whether something was set up for it elsewhere that must be undone once it is gone.
    Column("established", Integer, nullable=False, server_default="0"),
    Index("entries_by_group", "group_id", "id"),
    sqlite_autoincrement=True,
)
# Where nobody asks for duplicates there are no fingerprints, and Adds are spared a page of this
# index each, a different one every time.
Index(
    "entries_by_fingerprint",
    entries.c.group_id,
    entries.c.fingerprint,
    sqlite_where=entries.c.fingerprint != "",
    postgresql_where=entries.c.fingerprint != "",
)

entry_state = Table(
    "entry_state",
    metadata,
    _entry_id(),
    Column("group_id", BigInteger, nullable=False),
    Column("key", Text, nullable=False, unique=True),
    Column("slot", Integer, nullable=False),
    Column("termination", BigInteger),
    Column("due", BigInteger),
    Column("interval", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Index("entry_state_by_termination", "termination", "group_id"),
)

entry_health = Table(
    "entry_health",
    metadata,
    _entry_id(),
    Column("last_attempt", BigInteger),
    Column("epoch", BigInteger, nullable=False),
    Column("last_success", BigInteger),
    Column("failures", Integer, nullable=False),
    Column("error_code", Text, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("error_since", BigInteger),
    Column("skipped", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("memory", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
)

entry_data = Table(
    "entry_data",
    metadata,
    _entry_id(),
    Column("data", LargeBinary, nullable=False),
)

changes = Table(
    "changes",
    metadata,
    Column("group_id", Id, ForeignKey("groups.id"), primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("entry_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    sqlite_with_rowid=False,
)

leases = Table(
    "leases",
    metadata,
    Column("shard", Integer, primary_key=True, autoincrement=False),
    Column("holder", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
)

# Rates are per second, as they were at `calculated`; the row of process '' sums ended processes.
accumulators = Table(
    "accumulators",
    metadata,
    Column("group_id", Id, ForeignKey("groups.id"), primary_key=True, autoincrement=False),
    Column("process", Text, primary_key=True),
    Column("total", BigInteger, nullable=False),
    Column("minute_rate", Float(53), nullable=False),
    Column("hour_rate", Float(53), nullable=False),
    Column("day_rate", Float(53), nullable=False),
    Column("calculated", BigInteger, nullable=False),
    Column("last_change", BigInteger),
    sqlite_with_rowid=False,
)

# `boot` and `pid_started` tell for certain whether a process of this host still runs.
processes = Table(
    "processes",
    metadata,
    Column("process", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("boot", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("pid_started", BigInteger, nullable=False),
    Column("heartbeat", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# One row: when the first of the processes that now run was started.
service = Table(
    "service",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("started", BigInteger, nullable=False),
)

# One row. With the embedded database `distance` is from the steady clock of the host's `boot` to
# the store's time, which had come to `seen`; `ahead` is how far the time of day was set forward.
clock = Table(
    "clock",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("boot", Text, nullable=False),
    Column("distance", BigInteger, nullable=False),
    Column("ahead", BigInteger, nullable=False),
    Column("seen", BigInteger, nullable=False),
)

sink_versions = Table(
    "sink_versions",
    metadata,
    Column("sink", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# Tasks of the scheduler of events. Whoever moves `next_due` takes the turn that was due.
tasks = Table(
    "tasks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("origin", Text, nullable=False),
    Column("interval", BigInteger, nullable=False),
    Column("next_due", BigInteger, nullable=False),
    Column("ends", BigInteger),
    Column("payload", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
