"""The log of events: what is published through the store, in order."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from aggregator.store.event_tables import event_sequence, events
from aggregator.store.statement import Statement
from aggregator.store.write import Write

DRAW = Statement(
    update(event_sequence)
    .values(last=event_sequence.c.last + bindparam("drawn"))
    .returning(event_sequence.c.last)
)
LAST = Statement(select(event_sequence.c.last))
APPEND = Statement(insert(events))
TOPICS = Statement(
    select(events.c.sequence, events.c.exchange, events.c.topic)
    .where(events.c.sequence > bindparam("after"))
    .order_by(events.c.sequence)
    .limit(bindparam("most"))
)
FIRST = Statement(select(func.min(events.c.sequence)))
ONE = Statement(select(events).where(events.c.sequence == bindparam("of")))
OLD = Statement(select(func.max(events.c.sequence)).where(events.c.at < bindparam("before")))
_PRUNED = select(events.c.sequence).where(events.c.sequence <= bindparam("floor"))
OLDEST = Statement(_PRUNED.order_by(events.c.sequence).limit(bindparam("most")))
PRUNE = Statement(delete(events).where(events.c.sequence <= bindparam("floor")))


class LoggedTopic(NamedTuple):
    """Where an event was published to."""

    sequence: int
    exchange: str
    topic: str


class LoggedEvent(NamedTuple):
    """An event as it is logged; `at` in microseconds, `headers` as JSON."""

    sequence: int
    at: int
    exchange: str
    topic: str
    content_type: str
    headers: str
    body: bytes


def append_event(
    write: Write, *, exchange: str, topic: str, content_type: str, headers: str, body: bytes
) -> None:
    """Publish an event with this transaction; its sequence is drawn at the end of it."""
    write.wrote = True
    write.tally.events.append((write.now, exchange, topic, content_type, headers, body))


def write_events(write: Write) -> None:
    """Log what the transaction publishes. Nothing that others wait for may be locked after this."""
    made = write.tally.events
    [(last,)] = write.rows(DRAW, drawn=len(made))
    columns = [column.name for column in events.columns]
    write.run_many(
        APPEND,
        [
            dict(zip(columns, (sequence, *event), strict=True))
            for sequence, event in enumerate(made, last - len(made) + 1)
        ],
    )


def last_event(connection: Connection) -> int:
    """The sequence of the last event that was published, 0 where none was."""
    row = LAST.row(connection)
    return int(row[0]) if row else 0


def oldest_event(connection: Connection) -> int | None:
    """The sequence of the oldest event that is kept, None where none is."""
    row = FIRST.row(connection)
    return int(row[0]) if row and row[0] is not None else None


def topics_after(connection: Connection, sequence: int, *, most: int) -> list[LoggedTopic]:
    """Where the next events after a sequence were published to, at most `most`."""
    return [LoggedTopic(*row) for row in TOPICS.rows(connection, after=sequence, most=most)]


def load_event(connection: Connection, sequence: int) -> LoggedEvent | None:
    """An event, None where it is not kept any more."""
    row = ONE.row(connection, of=sequence)
    return None if row is None else LoggedEvent(*row)


def prune_events(write: Write, *, before: int, longest: int, most: int) -> int:
    """Drop events from before an instant, and all but the last `longest`; how many were dropped.

    At most `most`: a transaction must not keep others waiting.
    """
    row = OLD.row(write.connection, before=before)
    old = int(row[0]) if row and row[0] is not None else 0
    floor = max(old, last_event(write.connection) - longest)
    oldest = OLDEST.rows(write.connection, floor=floor, most=most)
    return write.run(PRUNE, floor=int(oldest[-1][0])) if oldest else 0
