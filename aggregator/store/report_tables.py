"""The tables of reports: what nodes sent, what clients ask, what aggregators push and remember.

A row of ``reports`` outlives the report: without ``data`` it remembers the id, so that one that
comes again is known. Of each node the newest are kept.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    literal_column,
    text,
)

from aggregator.store.tables import Id, metadata

#: Of a report: it waits to be processed, was processed, or failed too often.
WAITS, DONE, DEAD = 0, 1, 2
STARTING = "it is being started"
"""The error of an aggregator of which nobody knows yet what it takes."""
_STATE_0, _STATE_2 = text("state = 0"), text("state = 2")

report_nodes = Table(
    "report_nodes",
    metadata,
    Column("node", Text, primary_key=True),
    Column("since", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# `taken` names the aggregators that have processed it already, a space after each; `due` is the
# instant before which it is not tried again.
reports = Table(
    "reports",
    metadata,
    Column("number", Id, primary_key=True),
    Column("node", Text, nullable=False),
    Column("report_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("data", LargeBinary),
    Column("state", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("taken", Text, nullable=False),
    Column("error", Text, nullable=False),
    Index("reports_by_id", "node", "report_id", unique=True),
    Index("reports_by_node", "node", "number"),
    # Of those few that wait or are dead; most are neither.
    Index("reports_waiting", "number", sqlite_where=_STATE_0, postgresql_where=_STATE_0),
    Index("reports_of_node", "node", "size", sqlite_where=_STATE_0, postgresql_where=_STATE_0),
    Index("reports_dead", "node", "number", sqlite_where=_STATE_2, postgresql_where=_STATE_2),
    sqlite_autoincrement=True,
)

waits: ColumnElement[bool] = reports.c.state == literal_column(str(WAITS))
"""That a report waits; written out, since an index of some rows serves no parameter."""
is_dead: ColumnElement[bool] = reports.c.state == literal_column(str(DEAD))
"""That a report is dead."""

# Which registrations want the reports of a node: they go to the consumer's inbox as well.
report_followers = Table(
    "report_followers",
    metadata,
    Column(
        "consumer_id",
        Id,
        ForeignKey("consumers.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("node", Text, nullable=False),
    Column("type", Text, nullable=False),
    Index("report_followers_by_node", "node", "type"),
)

# A REQUEST and, once there is one, its answer: `outcome` is empty until then.
report_requests = Table(
    "report_requests",
    metadata,
    Column("id", Id, primary_key=True),
    Column("type", Text, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("deadline", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Index("report_requests_by_outcome", "outcome", "id"),
    sqlite_autoincrement=True,
)

# One row: the last update's sequence.
report_sequence = Table(
    "report_sequence",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
)

report_updates = Table(
    "report_updates",
    metadata,
    Column("sequence", Id, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("aggregator", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

# The aggregators of the deployment as the collector that holds the lease has started them: lists
# of types are JSON. `error` says why one does not run.
report_aggregators = Table(
    "report_aggregators",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("reports", Text, nullable=False),
    Column("requests", Text, nullable=False),
    Column("updates", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("error", Text, nullable=False),
    sqlite_with_rowid=False,
)

# What aggregators saved, as JSON.
report_memory = Table(
    "report_memory",
    metadata,
    Column("aggregator", Text, primary_key=True),
    Column("data", Text, nullable=False),
    sqlite_with_rowid=False,
)
