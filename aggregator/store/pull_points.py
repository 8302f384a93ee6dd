"""Pull points: made, filled by deliveries and by producers, emptied by who asks."""

from __future__ import annotations

import hashlib
import secrets
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

from aggregator.errors import ResourceUnknown
from aggregator.store.bus_places import note_subscription
from aggregator.store.pull_tables import pull_points
from aggregator.store.statement import Statement
from aggregator.store.subscription_tables import subscriptions
from aggregator.store.subscriptions import END, Subscription, extend_subscription
from aggregator.store.write import Write
from aggregator.wire.times import SECOND

PULL_POINT_PATH = "/wsrf/services/PullPointService/"
"""Where pull points are; the token follows."""

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
OF_SUBSCRIPTION = Statement(
    select(pull_points.c.id, pull_points.c.lifetime, pull_points.c.turn).where(
        _by_id, pull_points.c.subscription_id == bindparam("subscription")
    )
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
FORSAKEN = Statement(
    select(pull_points.c.id)
    .where(
        pull_points.c.subscription_id.is_(None),
        pull_points.c.used + pull_points.c.lifetime < bindparam("now", type_=BigInteger()),
    )
    .limit(bindparam("most"))
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


def last_until(write: Write, found: Subscription, seconds: float) -> None:
    """Let a subscription with a pull point last for so many seconds more, unless it ends before."""
    until = write.now + round(seconds * SECOND)
    if found.termination is None or found.termination > until:
        extend_subscription(write, found, until)


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


def pull_point_of(connection: Connection, found: Subscription) -> PullPoint:
    """The pull point that belongs to a subscription; raises ResourceUnknown where none does.

    That of a consumer, which is shared, is asked at its own address by who knows that.
    """
    row = OF_SUBSCRIPTION.row(connection, of=found.pull_point, subscription=found.id)
    if row is None:
        raise ResourceUnknown(
            "the subscription has no pull point of its own; its consumer is told, where it said"
        )
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


def end_forsaken(write: Write, *, most: int) -> int:
    """End pull points that nobody asked for as long as they live, at most `most`; how many."""
    found = [row[0] for row in FORSAKEN.rows(write.connection, now=write.now, most=most)]
    for number in found:
        with suppress(ResourceUnknown):
            destroy_pull_point(write, number)
    return len(found)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
