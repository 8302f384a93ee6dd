"""Queues of the event log that are fetched from, by one who is none of their readers."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, update

from aggregator.store.event_log import LoggedEvent, load_event
from aggregator.store.event_queues import (
    BINDINGS,
    LOOKED_AT,
    POSITION,
    Matches,
    QueueGone,
    look_after,
)
from aggregator.store.event_tables import event_queues
from aggregator.store.statement import Statement
from aggregator.store.write import Write

_name = event_queues.c.name == bindparam("of")
ADVANCE = Statement(
    update(event_queues)
    .where(_name, event_queues.c.position == bindparam("came_from"))
    .values(position=bindparam("to"), used=bindparam("now"))
)
USE = Statement(update(event_queues).where(_name).values(used=bindparam("now")))


class Peeked(NamedTuple):
    """What a queue had between two positions; `more` where there may be more at once.

    `lost` is how many of them had left the log, `used` when it was last noted that somebody takes
    from the queue.
    """

    events: list[LoggedEvent]
    came_from: int
    reached: int
    more: bool
    lost: int
    used: int


def peek_events(
    connection: Connection, name: str, *, matches: Matches, most: int, room: int
) -> Peeked:
    """What a queue has, for who moves it on then.

    At most `most` events, and as many as make `room` bytes. Raises QueueGone.
    """
    row = POSITION.row(connection, of=name)
    if row is None:
        raise QueueGone(name)
    came_from, used = map(int, row)
    bindings = BINDINGS.rows(connection, of=name)
    looked_at, lost, end = look_after(connection, came_from)
    found: list[LoggedEvent] = []
    reached = came_from
    for one in looked_at:
        if len(found) >= most or room <= 0:
            return Peeked(found, came_from, reached, True, lost, used)
        if any(one.exchange == of and matches(pattern, one.topic) for of, pattern in bindings):
            event = load_event(connection, one.sequence)
            if event is None:
                lost += 1
            else:
                found.append(event)
                room -= len(event.body)
        reached = one.sequence
    return Peeked(found, came_from, end, len(looked_at) == LOOKED_AT, lost, used)


def advance_queue(write: Write, name: str, *, came_from: int, reached: int) -> bool:
    """Move a queue on over what was peeked at; False where somebody else has done so."""
    return write.run(ADVANCE, of=name, came_from=came_from, to=reached, now=write.now) == 1


def use_queue(write: Write, name: str) -> None:
    """Note that somebody still takes from a queue, also while nothing is there."""
    write.run(USE, of=name, now=write.now)
