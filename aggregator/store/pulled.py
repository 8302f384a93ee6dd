"""The messages in pull points: put by deliveries and by producers, taken by who asks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Connection,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from aggregator.errors import InboxFull, ResourceUnknown
from aggregator.store.chunks import chunks
from aggregator.store.pull_tables import pull_points, pulled
from aggregator.store.statement import Statement
from aggregator.store.subscription_tables import subscription_state
from aggregator.store.write import Write

#: Bytes of messages that are given at once; the first is given whatever it has.
_ROOM = 4 * 2**20

IS_THERE = Statement(select(pull_points.c.id).where(pull_points.c.id == bindparam("of")))
WAITING = Statement(
    select(func.count(), func.coalesce(func.sum(func.length(pulled.c.message)), 0)).where(
        pulled.c.pull_point_id == bindparam("of")
    )
)
PUT = Statement(
    insert(pulled).values(
        pull_point_id=bindparam("of"), at=bindparam("now"), message=bindparam("message")
    )
)
OLDEST = Statement(
    select(pulled.c.id, func.length(pulled.c.message))
    .where(pulled.c.pull_point_id == bindparam("of"))
    .order_by(pulled.c.id)
    .limit(bindparam("most"))
)
# Those that were seen: others may have been put before them in transactions that end later.
_TAKE = (
    delete(pulled)
    .where(pulled.c.id.in_(bindparam("ids", expanding=True)))
    .returning(pulled.c.id, pulled.c.message)
)
OLD = Statement(delete(pulled).where(pulled.c.at < bindparam("before")))
# Locked: a collector that lost its lease may be at it still.
SENT = Statement(
    select(subscription_state.c.sent)
    .where(subscription_state.c.subscription_id == bindparam("of"))
    .with_for_update()
)
SENT_TO = Statement(
    update(subscription_state)
    .where(
        subscription_state.c.subscription_id == bindparam("of"),
        subscription_state.c.sent < bindparam("sent_to", type_=BigInteger()),
    )
    .values(sent=bindparam("sent_to", type_=BigInteger()))
)
_LOOK = select(
    pull_points.c.id,
    pull_points.c.turn,
    exists().where(pulled.c.pull_point_id == pull_points.c.id),
).where(pull_points.c.id.in_(bindparam("ids", expanding=True)))


def take_pulled(write: Write, number: int, *, most: int) -> list[bytes]:
    """The oldest messages of a pull point, which has them no longer."""
    room = _ROOM
    seen: list[int] = []
    for message, size in OLDEST.rows(write.connection, of=number, most=most):
        room -= size
        if room < 0 and seen:
            break
        seen.append(message)
    taken: list[tuple[int, bytes]] = []
    for chunk in chunks(seen):
        write.wrote = True
        rows = write.connection.execute(_TAKE, {"ids": chunk})
        taken += [(row[0], bytes(row[1])) for row in rows]
    return [message for _, message in sorted(taken)]


class Room(NamedTuple):
    """How much may wait in a pull point: messages, and bytes of them; an empty one takes any."""

    messages: int
    size: int


def put_pulled(write: Write, number: int, messages: Sequence[bytes], *, room: Room) -> None:
    """Put messages into a pull point; raises InboxFull where more would wait than may, and
    ResourceUnknown where there is none any more."""
    if IS_THERE.row(write.connection, of=number) is None:
        raise ResourceUnknown("the pull point has ended")
    row = WAITING.row(write.connection, of=number)
    waiting, size = (int(row[0]), int(row[1])) if row else (0, 0)
    total = size + sum(map(len, messages))
    if waiting and (waiting + len(messages) > room.messages or total > room.size):
        raise InboxFull(
            f"{waiting} messages of {size} bytes wait in the pull point already; at most "
            f"{room.messages} may, of {room.size} bytes",
            reason="full",
        )
    for message in messages:
        write.run(PUT, of=number, message=message, now=write.now)


def put_notices(
    write: Write,
    messages: Sequence[tuple[int, bytes]],
    *,
    subscription: int,
    pull_point: int,
    room: Room,
) -> None:
    """Put what a subscription tells into its pull point, and note how far it has come by that.

    Each message comes with the sequence of its change; all of one change are put together. What
    was put before is not put again. Raises InboxFull and ResourceUnknown.
    """
    row = SENT.row(write.connection, of=subscription)
    if row is None:
        return
    new = [(sequence, message) for sequence, message in messages if sequence > row[0]]
    if not new:
        return
    put_pulled(write, pull_point, [message for _, message in new], room=room)
    write.run(SENT_TO, of=subscription, sent_to=new[-1][0])


def look_into(connection: Connection, numbers: Collection[int]) -> dict[int, tuple[int, bool]]:
    """Of each of the pull points that there are the last turn, and whether something waits."""
    return {
        row[0]: (row[1], bool(row[2]))
        for chunk in chunks(sorted(numbers))
        for row in connection.execute(_LOOK, {"ids": chunk})
    }


def prune_pulled(write: Write, *, before: int) -> int:
    """Drop messages that came before an instant; how many it were."""
    return write.run(OLD, before=before)
