"""Pull points: made, filled by deliveries and by producers, emptied by who asks."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Connection,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from aggregator.errors import InboxFull, ResourceUnknown
from aggregator.store.bus_places import note_subscription
from aggregator.store.chunks import chunks
from aggregator.store.pull_tables import pull_points, pulled
from aggregator.store.statement import Statement
from aggregator.store.subscription_tables import subscription_state, subscriptions
from aggregator.store.subscriptions import END
from aggregator.store.write import Write

PULL_POINT_PATH = "/wsrf/services/PullPointService/"
"""Where pull points are; the token follows."""

#: Bytes of messages that are given at once; the first is given whatever it has.
_ROOM = 4 * 2**20
_by_id = pull_points.c.id == bindparam("of")

MAKE = Statement(
    insert(pull_points)
    .values(
        token=bindparam("of"),
        created=bindparam("now"),
        used=bindparam("now"),
        lifetime=bindparam("life"),
        turn=0,
    )
    .returning(pull_points.c.id)
)
BELONGS = Statement(
    update(pull_points).where(_by_id).values(subscription_id=bindparam("subscription"))
)
COUNT = Statement(
    select(func.count()).select_from(pull_points).where(pull_points.c.subscription_id.is_(None))
)
FIND = Statement(
    select(pull_points.c.id, pull_points.c.lifetime, pull_points.c.turn).where(
        pull_points.c.token == bindparam("of"), pull_points.c.subscription_id.is_(None)
    )
)
OF_ID = Statement(
    select(pull_points.c.id, pull_points.c.lifetime, pull_points.c.turn).where(_by_id)
)
TURN = Statement(
    update(pull_points)
    .where(_by_id)
    .values(used=bindparam("now"), turn=pull_points.c.turn + 1)
    .returning(pull_points.c.turn)
)
KEEP = Statement(
    update(pull_points)
    .where(_by_id, pull_points.c.turn == bindparam("mine"))
    .values(used=bindparam("now"))
)
HOLD = Statement(update(pull_points).where(_by_id).values(used=pull_points.c.used))
DESTROY = Statement(delete(pull_points).where(_by_id))
SUBSCRIBED = Statement(
    select(
        subscriptions.c.id,
        subscriptions.c.group_id,
        subscriptions.c.key,
        subscriptions.c.entry_key,
    ).where(subscriptions.c.pull_point == bindparam("of"))
)
WAITING = Statement(
    select(func.count()).select_from(pulled).where(pulled.c.pull_point_id == bindparam("of"))
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
_up_to = (pulled.c.pull_point_id == bindparam("of"), pulled.c.id <= bindparam("last"))
MESSAGES = Statement(select(pulled.c.message).where(*_up_to).order_by(pulled.c.id))
TAKE = Statement(delete(pulled).where(*_up_to))
OLD = Statement(delete(pulled).where(pulled.c.at < bindparam("before")))
FORSAKEN = Statement(
    select(pull_points.c.id)
    .where(
        pull_points.c.subscription_id.is_(None),
        pull_points.c.used + pull_points.c.lifetime < bindparam("now", type_=BigInteger()),
    )
    .limit(bindparam("most"))
)
SENT = Statement(
    select(subscription_state.c.sent).where(subscription_state.c.subscription_id == bindparam("of"))
)
SENT_TO = Statement(
    update(subscription_state)
    .where(
        subscription_state.c.subscription_id == bindparam("of"),
        subscription_state.c.sent < bindparam("sent_to", type_=BigInteger()),
    )
    .values(sent=bindparam("sent_to", type_=BigInteger()))
)
_WITH_SOME = (
    select(pulled.c.pull_point_id)
    .distinct()
    .where(pulled.c.pull_point_id.in_(bindparam("ids", expanding=True)))
)


class PullPoint(NamedTuple):
    """A pull point: how long, in microseconds, it goes on after somebody asked, and how often
    somebody did."""

    id: int
    lifetime: int
    turn: int


def make_pull_point(write: Write, *, lifetime: int) -> tuple[int, str]:
    """Store a pull point; its id, and the token that is known to nobody else."""
    token = secrets.token_urlsafe(32)
    [(number,)] = write.rows(MAKE, of=_hash(token), now=write.now, life=lifetime)
    return int(number), token


def belongs_to(write: Write, pull_point: int, *, subscription: int) -> None:
    """Let a pull point end with a subscription, through which alone it is asked from now on."""
    write.run(BELONGS, of=pull_point, subscription=subscription)


def count_pull_points(write: Write) -> int:
    """How many there are that belong to no subscription."""
    row = COUNT.row(write.connection)
    return int(row[0]) if row else 0


def find_pull_point(connection: Connection, token: str) -> PullPoint:
    """The pull point with a token; raises ResourceUnknown where there is none."""
    row = FIND.row(connection, of=_hash(token))
    if row is None:
        raise ResourceUnknown("there is no such pull point; it ended, or never was")
    return PullPoint(*row)


def pull_point_of(connection: Connection, number: int) -> PullPoint:
    """The pull point of a subscription that has one; raises ResourceUnknown for any other, and
    for one that has ended."""
    row = OF_ID.row(connection, of=number) if number else None
    if row is None:
        raise ResourceUnknown("the subscription has no pull point; its consumer is notified")
    return PullPoint(*row)


def hold_pull_point(write: Write, number: int) -> None:
    """Let nobody else take, subscribe to or end a pull point until the end of the transaction;
    raises ResourceUnknown where somebody just ended it."""
    if not write.run(HOLD, of=number):
        raise ResourceUnknown("the pull point has just ended")


def destroy_pull_point(write: Write, number: int) -> None:
    """End a pull point, with the subscriptions whose consumer it is, and what waits there."""
    hold_pull_point(write, number)
    for subscription, group, key, entry_key in SUBSCRIBED.rows(write.connection, of=number):
        if write.run(END, of=subscription):
            write.join(group, -1)
            note_subscription(write, "unsubscribed", group, key, entry_key)
    write.run(DESTROY, of=number)


def take_turn(write: Write, found: PullPoint) -> int:
    """Note that somebody asks a pull point; the number of this turn, above all earlier ones."""
    [(turn,)] = write.rows(TURN, of=found.id, now=write.now)
    return int(turn)


def keep_turn(write: Write, number: int, turn: int) -> bool:
    """Whether nobody asked a pull point since a turn, nor can before the transaction ends."""
    return bool(write.run(KEEP, of=number, mine=turn, now=write.now))


def take_pulled(write: Write, number: int, *, most: int) -> list[bytes]:
    """The oldest messages of a pull point, which has them no longer."""
    room, last = _ROOM, 0
    for message, size in OLDEST.rows(write.connection, of=number, most=most):
        room -= size
        if room < 0 and last:
            break
        last = message
    if not last:
        return []
    messages = [bytes(row[0]) for row in MESSAGES.rows(write.connection, of=number, last=last)]
    write.run(TAKE, of=number, last=last)
    return messages


def put_pulled(write: Write, number: int, messages: Sequence[bytes], *, most: int) -> None:
    """Put messages into a pull point; raises InboxFull where more than `most` would wait, and
    ResourceUnknown where there is none any more."""
    pull_point_of(write.connection, number)
    row = WAITING.row(write.connection, of=number)
    waiting = int(row[0]) if row else 0
    if waiting and waiting + len(messages) > most:
        raise InboxFull(
            f"{waiting} messages wait in the pull point already; at most {most} may",
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
    most: int,
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
    put_pulled(write, pull_point, [message for _, message in new], most=most)
    write.run(SENT_TO, of=subscription, sent_to=new[-1][0])


def with_messages(connection: Connection, numbers: Collection[int]) -> set[int]:
    """Those of the pull points in which something waits."""
    return {
        row[0]
        for chunk in chunks(sorted(numbers))
        for row in connection.execute(_WITH_SOME, {"ids": chunk})
    }


def prune_pulled(write: Write, *, before: int) -> int:
    """Drop messages that came before an instant; how many it were."""
    return write.run(OLD, before=before)


def end_forsaken(write: Write, *, most: int) -> int:
    """End pull points that nobody asked for as long as they live, at most `most`; how many."""
    found = [row[0] for row in FORSAKEN.rows(write.connection, now=write.now, most=most)]
    for number in found:
        with suppress(ResourceUnknown):
            destroy_pull_point(write, number)
    return len(found)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
