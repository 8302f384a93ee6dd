"""The tables of streams: what is stored, how far each stream has come, what it passed over.

They lie in databases of their own and are made when they are first used. Each storage has a table
of its own beside them, named by its key.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, MetaData, Table

from aggregator.store.stream_columns import KEY_TEXT, OWN, ROW, TEXT, TIME, StreamColumn
from aggregator.store.tables import Id

#: What this code reads and writes.
VERSION = 1

metadata = MetaData()

versions = Table(
    f"{OWN}_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
)

# `ident` is no other storage's, wherever that is; `last` is the number of the row that was stored
# last. Who stores draws from it, so that rows become visible in order.
storages = Table(
    f"{OWN}_storages",
    metadata,
    Column("table_key", KEY_TEXT, primary_key=True),
    Column("ident", TEXT, nullable=False),
    Column("columns", TEXT, nullable=False),
    Column("last", BigInteger, nullable=False),
)

# Rows up to `position` were sent, or are none of the stream's business; those up to `pending` may
# have been. `condition` is what its filter was then. `epoch` is counted up by who takes the stream.
positions = Table(
    f"{OWN}_positions",
    metadata,
    Column("table_key", KEY_TEXT, primary_key=True),
    Column("name", KEY_TEXT, primary_key=True),
    Column("running", Integer, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("pending", BigInteger),
    Column("condition", TEXT, nullable=False),
)

set_aside = Table(
    f"{OWN}_set_aside",
    metadata,
    Column("table_key", KEY_TEXT, primary_key=True),
    Column("name", KEY_TEXT, primary_key=True),
    Column("stream_row", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("reason", TEXT, nullable=False),
)


def data_table(key: str, columns: tuple[StreamColumn, ...]) -> Table:
    """The table of a storage."""
    return Table(
        key,
        MetaData(),
        Column(ROW, Id, primary_key=True, autoincrement=False, quote=True),
        Column(TIME, Double, nullable=False, quote=True),
        *(Column(column.name, column.stored, quote=True) for column in columns),
        quote=True,
    )
