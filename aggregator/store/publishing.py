"""What an entry publishes, changed by something else than a collection."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, select, update

from aggregator.store.content import digest, pack, unpack
from aggregator.store.outcomes import STORE_DATA
from aggregator.store.statement import Statement
from aggregator.store.tables import entry_data, entry_health, entry_state
from aggregator.store.write import Write

PUBLISHED = Statement(
    select(entry_state.c.group_id, entry_health.c.digest)
    .join(entry_state, entry_state.c.entry_id == entry_health.c.entry_id)
    .where(entry_health.c.entry_id == bindparam("entry"))
    .with_for_update(of=entry_health)
)
MARK = Statement(
    update(entry_health)
    .where(entry_health.c.entry_id == bindparam("entry"))
    .values(digest=bindparam("new_digest"), version=entry_health.c.version + 1)
)

DATA = Statement(select(entry_data.c.data).where(entry_data.c.entry_id == bindparam("entry")))


def published(connection: Connection, entry_id: int) -> tuple[bytes, ...]:
    """The serialised children of AggregatorData that an entry shows; empty where it is gone."""
    row = DATA.row(connection, entry=entry_id)
    return () if row is None else unpack(row[0])


def publish(write: Write, entry_id: int, data: tuple[bytes, ...]) -> bool:
    """Give an entry the serialised children of AggregatorData; False where it is gone.

    How its collection goes is not touched, and readers are told only of what differs.
    """
    row = PUBLISHED.row(write.connection, entry=entry_id)
    if row is None:
        return False
    packed = pack(data)
    if digest(packed) != row[1]:
        write.run(MARK, entry=entry_id, new_digest=digest(packed))
        write.run(STORE_DATA, entry=entry_id, new_data=packed)
        write.change(row[0], entry_id, "content")
    return True
