"""What single entries publish, read by the collector."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select

from aggregator.store.content import unpack
from aggregator.store.statement import Statement
from aggregator.store.tables import entry_data

DATA = Statement(select(entry_data.c.data).where(entry_data.c.entry_id == bindparam("entry")))


def published_content(connection: Connection, entry: int) -> tuple[bytes, ...]:
    """The children of an entry's AggregatorData; none where it is gone."""
    row = DATA.row(connection, entry=entry)
    return () if row is None else unpack(row[0])
