"""The tables of measurements of our own.

Instants are NTP's 64 bits less 2**63: signed numbers in the same order. Rows lie in the order of
their test and time (on PostgreSQL the primary key's index holds them whole), so that a day of one
path is one short range however much there is.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, Table, Text

from aggregator.store.tables import Id, metadata

# `settings` is JSON; no sample of the test takes more than `longest`, in 2**-32 s.
measured_tests = Table(
    "measured_tests",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("settings", Text, nullable=False),
    Column("longest", BigInteger, nullable=False),
    Index("measured_tests_by_path", "kind", "source", "destination", "settings", unique=True),
    Index("measured_tests_by_destination", "destination"),
)

measured_throughput = Table(
    "measured_throughput",
    metadata,
    Column("test_id", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("throughput", Float(53)),
    Column("jitter", Float(53)),
    Column("lost", BigInteger),
    Column("sent", BigInteger),
    sqlite_with_rowid=False,
)

measured_delays = Table(
    "measured_delays",
    metadata,
    Column("test_id", BigInteger, primary_key=True, autoincrement=False),
    Column("begins", BigInteger, primary_key=True, autoincrement=False),
    Column("ends", BigInteger, primary_key=True, autoincrement=False),
    Column("min_delay", Float(53)),
    Column("max_delay", Float(53)),
    Column("min_ttl", Integer),
    Column("max_ttl", Integer),
    Column("sent", BigInteger),
    Column("lost", BigInteger),
    Column("duplicates", BigInteger),
    Column("max_error", Float(53)),
    sqlite_with_rowid=False,
)

# `place` times the width of a bucket is where it begins.
measured_buckets = Table(
    "measured_buckets",
    metadata,
    Column("test_id", BigInteger, primary_key=True, autoincrement=False),
    Column("begins", BigInteger, primary_key=True, autoincrement=False),
    Column("ends", BigInteger, primary_key=True, autoincrement=False),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
