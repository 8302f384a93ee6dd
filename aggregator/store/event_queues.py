"""Queues of the event log that have a name: shared by their readers, kept in the store.

A queue has one position; what lies before it was handed out. What a reader has not dealt with is
claimed by it, and is another's once that reader gives no sign of life any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, func, insert, or_, select, update

from aggregator.store.event_log import (
    LoggedEvent,
    LoggedTopic,
    last_event,
    load_event,
    oldest_event,
    topics_after,
)
from aggregator.store.event_tables import (
    FETCHED,
    GOES,
    KEPT,
    event_bindings,
    event_claims,
    event_queues,
    event_readers,
)
from aggregator.store.statement import Statement
from aggregator.store.upsert import or_nothing, or_replace
from aggregator.store.write import Write

#: Topics of the log that are looked at in one transaction.
LOOKED_AT = 500

_name = event_queues.c.name == bindparam("of")
# The lock of the queue: whoever takes from it waits for who took before.
LOCK = Statement(
    update(event_queues)
    .where(_name)
    .values(used=bindparam("now"))
    .returning(event_queues.c.position, event_queues.c.auto_delete)
)
MAKE = Statement(or_nothing(event_queues))
MOVE = Statement(update(event_queues).where(_name).values(position=bindparam("to")))
DELETE = Statement(delete(event_queues).where(_name))
IDLE = Statement(
    select(event_queues.c.name)
    .where(
        or_(
            event_queues.c.auto_delete == GOES,
            and_(event_queues.c.auto_delete == FETCHED, event_queues.c.used < bindparam("before")),
        ),
        ~select(event_readers.c.reader)
        .where(
            event_readers.c.queue == event_queues.c.name, event_readers.c.until > bindparam("now")
        )
        .exists(),
    )
    .order_by(event_queues.c.name)
    # What somebody else has locked is in use.
    .with_for_update(of=event_queues, skip_locked=True)
)
POSITION = Statement(select(event_queues.c.position, event_queues.c.used).where(_name))
BIND = Statement(or_nothing(event_bindings))
BINDINGS = Statement(
    select(event_bindings.c.exchange, event_bindings.c.pattern).where(
        event_bindings.c.queue == bindparam("of")
    )
)
ENTER = Statement(or_replace(event_readers))
LEAVE = Statement(delete(event_readers).where(event_readers.c.reader == bindparam("who")))
READERS = Statement(
    select(func.count())
    .select_from(event_readers)
    .where(event_readers.c.queue == bindparam("of"), event_readers.c.until > bindparam("now"))
)
DEAD = Statement(
    delete(event_readers).where(
        event_readers.c.reader.in_(
            select(event_readers.c.reader)
            .where(event_readers.c.until <= bindparam("now"))
            .order_by(event_readers.c.reader)
            .with_for_update(skip_locked=True)
        )
    )
)
CLAIM = Statement(insert(event_claims))
DONE = Statement(
    delete(event_claims).where(
        event_claims.c.queue == bindparam("of"),
        event_claims.c.sequence == bindparam("number"),
        event_claims.c.reader == bindparam("who"),
    )
)
GIVE_BACK = Statement(
    update(event_claims).where(event_claims.c.reader == bindparam("who")).values(reader="")
)
_lives = (
    select(event_readers.c.reader)
    .where(
        event_readers.c.reader == event_claims.c.reader, event_readers.c.until > bindparam("now")
    )
    .exists()
)
LEFT = Statement(
    select(event_claims.c.sequence)
    .where(
        event_claims.c.queue == bindparam("of"),
        # One's own too: who takes has dealt with all before, or was not told of it.
        or_(~_lives, event_claims.c.reader == bindparam("who")),
    )
    .order_by(event_claims.c.sequence)
    .limit(1)
)
TAKE_OVER = Statement(
    update(event_claims)
    .where(event_claims.c.queue == bindparam("of"), event_claims.c.sequence == bindparam("number"))
    .values(reader=bindparam("who"))
)
FORGET = Statement(
    delete(event_claims).where(
        event_claims.c.queue == bindparam("of"), event_claims.c.sequence == bindparam("number")
    )
)

#: Whether a pattern takes a topic.
Matches = Callable[[str, str], bool]


class QueueGone(Exception):
    """The queue was deleted: its last reader had given no sign of life for too long."""


class Taken(NamedTuple):
    """What a queue had: an event, or none; `more` where there may be more at once.

    `lost` is how many had left the log before they were taken.
    """

    event: LoggedEvent | None
    more: bool
    lost: int = 0


def bind_queue(
    write: Write,
    name: str,
    *,
    exchange: str,
    pattern: str,
    auto_delete: bool = False,
    fetched: bool = False,
    anew: bool = False,
) -> None:
    """Have a queue there that takes what is published from now on, or what it takes already.

    One that goes with its last reader, and whose readers are all gone, begins anew. One that is
    `fetched` from has no readers, and goes when nobody has done so for long; made `anew`, it
    begins with the oldest event that is kept.
    """
    found = LOCK.rows(write.connection, of=name, now=write.now)
    if found and found[0][1] == GOES and not _has_readers(write, name):
        write.run(DELETE, of=name)
        found = []
    if not found:
        kind = FETCHED if fetched else GOES if auto_delete else KEPT
        last = last_event(write.connection)
        oldest = oldest_event(write.connection) if anew else None
        position = last if oldest is None else oldest - 1
        write.run(MAKE, name=name, auto_delete=kind, position=position, used=write.now)
    write.run(BIND, queue=name, exchange=exchange, pattern=pattern)


def enter_reader(write: Write, name: str, reader: str, *, until: int) -> None:
    """Let a reader take part until an instant; raises QueueGone."""
    if not LOCK.rows(write.connection, of=name, now=write.now):
        raise QueueGone(name)
    write.run(ENTER, reader=reader, queue=name, until=until)


def leave_queue(write: Write, name: str, reader: str, *, done: int | None = None) -> None:
    """End a reader that dealt with `done` last; what else it claimed is another's.

    The last one may end the queue.
    """
    found = LOCK.rows(write.connection, of=name, now=write.now)
    if done is not None:
        write.run(DONE, of=name, number=done, who=reader)
    write.run(GIVE_BACK, who=reader)
    write.run(LEAVE, who=reader)
    if found and found[0][1] == GOES and not _has_readers(write, name):
        write.run(DELETE, of=name)


def delete_queue(write: Write, name: str) -> bool:
    """Delete a queue with all that waits in it; False where there was none."""
    return write.run(DELETE, of=name) == 1


def has_news(connection: Connection, name: str, *, now: int) -> bool:
    """Whether there may be something to take. Raises QueueGone."""
    row = POSITION.row(connection, of=name)
    if row is None:
        raise QueueGone(name)
    return last_event(connection) > row[0] or bool(LEFT.rows(connection, of=name, now=now, who=""))


def take_event(
    write: Write, name: str, reader: str, *, matches: Matches, done: int | None
) -> Taken:
    """Note that `done` was dealt with, and claim the next event for a reader. Raises QueueGone."""
    # Before all else, as everybody does: who deletes the queue has to wait for nobody then.
    found = LOCK.rows(write.connection, of=name, now=write.now)
    if not found:
        raise QueueGone(name)
    write.wrote = True
    if done is not None:
        write.run(DONE, of=name, number=done, who=reader)
    for (number,) in LEFT.rows(write.connection, of=name, now=write.now, who=reader):
        event = load_event(write.connection, number)
        if event is not None:
            write.run(TAKE_OVER, of=name, number=number, who=reader)
            return Taken(event, True)
        # It was kept for long enough; nobody will deal with it.
        write.run(FORGET, of=name, number=number)
        return Taken(None, True, 1)
    return _next(write, name, reader, matches, after=found[0][0])


def _next(write: Write, name: str, reader: str, matches: Matches, *, after: int) -> Taken:
    bindings = BINDINGS.rows(write.connection, of=name)
    looked_at, lost, reached = look_after(write.connection, after)
    for one in looked_at:
        if any(one.exchange == of and matches(pattern, one.topic) for of, pattern in bindings):
            write.run(MOVE, of=name, to=one.sequence)
            write.run(CLAIM, queue=name, sequence=one.sequence, reader=reader)
            return Taken(load_event(write.connection, one.sequence), True, lost)
    if reached > after:
        write.run(MOVE, of=name, to=reached)
    return Taken(None, len(looked_at) == LOOKED_AT, lost)


def look_after(connection: Connection, after: int) -> tuple[list[LoggedTopic], int, int]:
    """What is kept after a position; how many are not, and the position after all of these."""
    # In this order: whatever was published until then, and is kept, is found after it.
    last = last_event(connection)
    looked_at = topics_after(connection, after, most=LOOKED_AT)
    if looked_at:
        # Sequences have no gaps.
        return looked_at, looked_at[0].sequence - after - 1, looked_at[-1].sequence
    return [], max(last - after, 0), max(last, after)


def prune_queues(write: Write, *, before: int) -> None:
    """Forget readers that are gone, the queues that went with them, and those that nobody has
    fetched from since an instant."""
    for (name,) in IDLE.rows(write.connection, now=write.now, before=before):
        # Once more under the lock, which a reader may have had that has come since.
        if not _has_readers(write, name):
            write.run(DELETE, of=name)
    write.run(DEAD, now=write.now)


def _has_readers(write: Write, name: str) -> bool:
    row = READERS.row(write.connection, of=name, now=write.now)
    return bool(row and row[0])
