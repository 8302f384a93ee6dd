"""The event bus as a subscriber of each group's outbox: how far it has come.

Its place is a row among the subscriptions, so that a group on the bus is one that somebody
subscribed to, and what it has not been told yet is kept as for everybody else.
"""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select, update

from aggregator.store.happenings import note_happening
from aggregator.store.shards import slot_of
from aggregator.store.statement import Statement
from aggregator.store.subscription_tables import BUS, subscription_state, subscriptions
from aggregator.store.upsert import or_nothing
from aggregator.store.write import Write

_is_bus = subscriptions.c.dialect == BUS

MAKE = Statement(or_nothing(subscriptions), columns=[c.name for c in subscriptions.c][1:])
FIND = Statement(select(subscriptions.c.id).where(subscriptions.c.key == bindparam("of_key")))
MAKE_STATE = Statement(or_nothing(subscription_state))
_of = subscription_state.c.subscription_id == bindparam("of")
BEGIN = Statement(update(subscription_state).where(_of).values(sent=bindparam("reached")))
ALL = Statement(
    select(
        subscriptions.c.id,
        subscriptions.c.group_id,
        subscriptions.c.slot,
        subscription_state.c.sent,
        subscription_state.c.dropped,
    )
    .join(subscription_state, subscription_state.c.subscription_id == subscriptions.c.id)
    .where(_is_bus)
)
MOVE = Statement(
    update(subscription_state)
    .where(_of, subscription_state.c.sent == bindparam("come_from"))
    .values(sent=bindparam("come_to"))
)
END = Statement(subscriptions.delete().where(subscriptions.c.id == bindparam("of")))


class Place(NamedTuple):
    """How far the bus has come in a group: `sent` is the last sequence that it was told; `dropped`
    counts what it was not told of because its broker had been away for too long."""

    id: int
    group_id: int
    slot: int
    sent: int
    dropped: int


def make_place(write: Write, group_id: int) -> None:
    """Have the bus told of a group's changes, those that come after this transaction."""
    key = _key(group_id)
    made = write.run(
        MAKE,
        key=key,
        group_id=group_id,
        entry_id=0,
        entry_key="",
        owner="",
        origin="",
        created=write.now,
        dialect=BUS,
        consumer=b"",
        request="{}",
        slot=slot_of(key),
        pull_point=0,
    )
    row = FIND.row(write.connection, of_key=key)
    if made != 1 or row is None:
        return
    write.run(
        MAKE_STATE,
        subscription_id=row[0],
        termination=None,
        sent=0,
        paused=0,
        skip_after=0,
        skip_to=0,
        suspended=0,
        failures=0,
        error="",
        error_since=None,
        dropped=0,
    )
    write.join(group_id, 1, BEGIN, of=row[0])


def places(connection: Connection) -> list[Place]:
    """How far the bus has come, of all groups that it is told of."""
    return [Place(*row) for row in ALL.rows(connection)]


def move_place(write: Write, place: Place, *, to: int) -> bool:
    """Note that all up to a sequence was told; False where another process has told it."""
    return write.run(MOVE, of=place.id, come_from=place.sent, come_to=to) == 1


def end_places(write: Write) -> int:
    """Have the bus told of nothing any more; of how many groups it was."""
    found = places(write.connection)
    for place in found:
        if write.run(END, of=place.id):
            write.join(place.group_id, -1)
    return len(found)


def note_subscription(write: Write, kind: str, group_id: int, key: str, entry_key: str) -> None:
    """Note what became of a subscription, where the bus is told of its group.

    What is told is a mark of the subscription: who knows its key can end it.
    """
    if FIND.row(write.connection, of_key=_key(group_id)) is not None:
        mark = hashlib.sha256(key.encode()).hexdigest()[:32]
        note_happening(write, kind, group_id=group_id, key=mark, detail=entry_key)


def note_alert(write: Write, kind: str, group_id: int, entry_key: str, facts: object) -> None:
    """Note that a rule fired, or that its alert ended, where the bus is told of its group."""
    if FIND.row(write.connection, of_key=_key(group_id)) is not None:
        note_happening(write, kind, group_id=group_id, key=entry_key, detail=json.dumps(facts))


def _key(group_id: int) -> str:
    return f"{BUS}:{group_id}"
