"""How many entries a group has, at a price that does not grow with them.

Groups and owners have counters, written at the end of a transaction, with the sequences. What has
expired and waits for its removal is still in them, and is counted one by one: it is little.
"""

from __future__ import annotations

from sqlalchemy import bindparam, delete, func, select

from aggregator.store.statement import Statement
from aggregator.store.tables import entries, entry_state, groups, owners
from aggregator.store.upsert import or_add
from aggregator.store.write import Overtaken, Write

_ended = entry_state.c.termination <= bindparam("now")

COUNT = Statement(
    select(
        groups.c.entries,
        select(func.count())
        .select_from(entry_state)
        .where(_ended, entry_state.c.group_id == groups.c.id)
        .scalar_subquery(),
    ).where(groups.c.id == bindparam("group"))
)
COUNT_OF_OWNER = Statement(
    select(
        owners.c.entries,
        select(func.count())
        .select_from(entry_state)
        .join(entries, entries.c.id == entry_state.c.entry_id)
        .where(
            _ended,
            entry_state.c.group_id == owners.c.group_id,
            entries.c.owner == owners.c.owner,
        )
        .scalar_subquery(),
    ).where(owners.c.group_id == bindparam("group"), owners.c.owner == bindparam("of"))
)
ADD_TO_OWNER = Statement(or_add(owners))
FORGET_OWNER = Statement(
    delete(owners).where(
        owners.c.group_id == bindparam("group"),
        owners.c.owner == bindparam("of"),
        owners.c.entries <= 0,
    )
)


def count_entries(
    write: Write, group_id: int, owner: str | None = None, *, limit: int | None = None
) -> int:
    """How many entries of the group, or of one owner in it, are not expired.

    Where `limit` is given, the transaction is not committed if others, in another process, have
    made it more than `limit` in the meantime: the units are run again then, and count anew.
    """
    if limit is not None:
        write.tally.limits[group_id, owner] = limit
    stored = write.tally.stored.get((group_id, owner))
    if stored is None:
        stored = write.tally.stored[group_id, owner] = _stored(write, group_id, owner)
    return stored + _tallied(write, group_id, owner)


def write_owners(write: Write) -> None:
    """Write how many entries owners have more or less than before."""
    for (group_id, owner), difference in sorted(write.tally.owners.items()):
        if difference:
            write.run(ADD_TO_OWNER, group_id=group_id, owner=owner, entries=difference)
        if difference < 0:
            write.run(FORGET_OWNER, group=group_id, of=owner)


def check_limits(write: Write) -> None:
    """Raise Overtaken when there are more entries than the units found room for.

    Called when the groups' rows are locked: nobody else can add to the counters now.
    """
    for (group_id, owner), limit in write.tally.limits.items():
        grows = _tallied(write, group_id, owner) > 0
        if grows and _stored(write, group_id, owner) > limit:
            raise Overtaken(f"group {group_id} has more than {limit} entries")


def _stored(write: Write, group_id: int, owner: str | None) -> int:
    if owner is None:
        row = COUNT.row(write.connection, group=group_id, now=write.now)
    else:
        row = COUNT_OF_OWNER.row(write.connection, group=group_id, of=owner, now=write.now)
    stored, ended = row or (0, 0)
    return int(stored - ended)


def _tallied(write: Write, group_id: int, owner: str | None) -> int:
    if owner is None:
        return write.tally.entries.get(group_id, 0)
    return write.tally.owners.get((group_id, owner), 0)
