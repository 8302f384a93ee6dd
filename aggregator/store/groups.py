"""The service groups: their numbers and the sequences of their changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, bindparam, select

from aggregator.store.statement import Statement
from aggregator.store.tables import groups
from aggregator.store.upsert import or_nothing
from aggregator.store.write import Write

if TYPE_CHECKING:
    from aggregator.store.engine import Store

DECLARE = Statement(
    or_nothing(groups).values(name=bindparam("new"), sequence=0, pruned_to=0, entries=0)
)
IDS = Statement(select(groups.c.name, groups.c.id))
PRUNED_TO = Statement(select(groups.c.id, groups.c.pruned_to))
SEQUENCES = Statement(select(groups.c.id, groups.c.sequence))
STATES = Statement(
    select(groups.c.id, groups.c.name, groups.c.sequence, groups.c.subscribers, groups.c.subscribed)
)
SEQUENCE = Statement(select(groups.c.sequence).where(groups.c.id == bindparam("group")))


class GroupState(NamedTuple):
    """What there is to follow of a group: ``subscribed`` grows when its subscriptions change."""

    id: int
    name: str
    sequence: int
    subscribers: int
    subscribed: int


def declare_groups(store: Store, names: Sequence[str]) -> dict[str, int]:
    """The id of each group in `names`; those that the store does not know yet are made."""

    def unit(write: Write) -> dict[str, int]:
        known: dict[str, int] = dict(IDS.rows(write.connection))
        if missing := sorted(set(names) - known.keys()):
            write.run_many(DECLARE, [{"new": name} for name in missing])
            known = dict(IDS.rows(write.connection))
        return {name: known[name] for name in names}

    return store.writer.run(unit)


def sequences(connection: Connection) -> dict[int, int]:
    """The last sequence of every group, by the group's id."""
    return dict(SEQUENCES.rows(connection))


def sequence(connection: Connection, group_id: int) -> int:
    """The last sequence of one group."""
    row = SEQUENCE.row(connection, group=group_id)
    if row is None:
        raise LookupError(f"the store knows no group {group_id}")
    found: int = row[0]
    return found


def group_states(connection: Connection) -> list[GroupState]:
    """All groups, as far as one follows them."""
    return [GroupState(*row) for row in STATES.rows(connection)]
