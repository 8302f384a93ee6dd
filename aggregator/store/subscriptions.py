"""Subscriptions to groups and entries: made, renewed, paused, ended, and how far each has come."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Connection,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from aggregator.errors import ResourceUnknown
from aggregator.store.bus_places import note_subscription
from aggregator.store.shards import slot_of
from aggregator.store.statement import Statement
from aggregator.store.subscription_tables import BUS, subscription_state, subscriptions
from aggregator.store.tables import entry_state
from aggregator.store.write import Write

_FIELDS = (
    subscriptions.c.id,
    subscriptions.c.key,
    subscriptions.c.group_id,
    subscriptions.c.entry_id,
    subscriptions.c.entry_key,
    subscriptions.c.owner,
    subscriptions.c.created,
    subscriptions.c.dialect,
    subscriptions.c.consumer,
    subscriptions.c.request,
    subscriptions.c.slot,
    subscriptions.c.pull_point,
    subscription_state.c.termination,
    subscription_state.c.sent,
    subscription_state.c.paused,
    subscription_state.c.skip_after,
    subscription_state.c.skip_to,
    subscription_state.c.suspended,
    subscription_state.c.failures,
    subscription_state.c.error,
    subscription_state.c.error_since,
    subscription_state.c.dropped,
)
_SELECT = select(*_FIELDS).join(
    subscription_state, subscription_state.c.subscription_id == subscriptions.c.id
)
_live = or_(
    subscription_state.c.termination.is_(None),
    subscription_state.c.termination > bindparam("now"),
)
# The event bus has its places among them, which are nobody's to see or to end.
_is_told = subscriptions.c.dialect != BUS
_by_id = subscription_state.c.subscription_id == bindparam("of")

MAKE = Statement(
    insert(subscriptions)
    .values(
        {
            column.name: bindparam(column.name)
            for column in subscriptions.columns
            if column.name != "id"
        }
    )
    .returning(subscriptions.c.id)
)
MAKE_STATE = Statement(
    insert(subscription_state).values(
        subscription_id=bindparam("of"),
        termination=bindparam("until"),
        sent=0,
        paused=0,
        skip_after=0,
        skip_to=0,
        suspended=0,
        failures=0,
        error="",
        dropped=0,
    )
)
BEGIN = Statement(update(subscription_state).where(_by_id).values(sent=bindparam("reached")))
IS_THERE = Statement(
    select(entry_state.c.entry_id).where(
        entry_state.c.entry_id == bindparam("entry"),
        or_(entry_state.c.termination.is_(None), entry_state.c.termination > bindparam("now")),
    )
)
COUNT = Statement(
    select(func.count())
    .select_from(subscriptions)
    .where(subscriptions.c.group_id == bindparam("group"), _is_told)
)
BY_KEY = Statement(_SELECT.where(subscriptions.c.key == bindparam("of_key"), _is_told, _live))
OF_GROUP = Statement(
    _SELECT.where(subscriptions.c.group_id == bindparam("group"), _is_told).order_by(
        subscriptions.c.id
    )
)
END = Statement(delete(subscriptions).where(subscriptions.c.id == bindparam("of")))
RENEW = Statement(update(subscription_state).where(_by_id).values(termination=bindparam("until")))
PAUSE = Statement(
    update(subscription_state)
    .where(_by_id, subscription_state.c.paused == 0)
    # 0 is for one that is not paused, and a group's first sequence is 1.
    .values(paused=bindparam("reached") + 1)
)
# Where what came in an earlier pause is not passed yet, that of the present one is told.
_before = subscription_state.c.paused - 1
_passed = subscription_state.c.sent >= subscription_state.c.skip_to
RESUME = Statement(
    update(subscription_state)
    .where(_by_id, subscription_state.c.paused != 0)
    .values(
        paused=0,
        skip_after=case((_passed, _before), else_=subscription_state.c.skip_after),
        skip_to=case(
            (_passed, bindparam("reached", type_=BigInteger())),
            else_=subscription_state.c.skip_to,
        ),
    )
)
ENDED = Statement(
    _SELECT.where(subscription_state.c.termination <= bindparam("now")).limit(bindparam("most"))
)


class Subscription(NamedTuple):
    """A subscription as it is stored; instants in microseconds, `entry_id` 0 for the group."""

    id: int
    key: str
    group_id: int
    entry_id: int
    entry_key: str
    owner: str
    created: int
    dialect: str
    consumer: bytes
    request: str
    slot: int
    pull_point: int
    termination: int | None
    sent: int
    paused: int
    skip_after: int
    skip_to: int
    suspended: int
    failures: int
    error: str
    error_since: int | None
    dropped: int


def make_subscription(
    write: Write,
    *,
    group_id: int,
    entry: tuple[int, str],
    owner: str,
    dialect: str,
    consumer: bytes,
    request: str,
    termination: int | None,
    pull_point: int = 0,
) -> str:
    """Store a subscription to a group, or to the entry whose id and key are given; its key.

    It is told of every change whose transaction comes after this one. Raises ResourceUnknown
    where the entry has ended meanwhile.
    """
    if entry[0] and IS_THERE.row(write.connection, entry=entry[0], now=write.now) is None:
        raise ResourceUnknown(f"the entry {entry[1]!r} has ended")
    key = f"{write.now:014x}{secrets.token_hex(16)}"
    values: Mapping[str, object] = {
        "key": key,
        "group_id": group_id,
        "entry_id": entry[0],
        "entry_key": entry[1],
        "owner": owner,
        "origin": "",
        "created": write.now,
        "dialect": dialect,
        "consumer": consumer,
        "request": request,
        "slot": slot_of(key),
        "pull_point": pull_point,
    }
    [(number,)] = write.rows(MAKE, **values)
    write.run(MAKE_STATE, of=number, until=termination)
    # Whoever draws a sequence of the group after this sees that somebody is to be told.
    write.join(group_id, 1, BEGIN, of=number)
    note_subscription(write, "subscribed", group_id, key, entry[1])
    return key


def count_subscriptions(write: Write, group_id: int) -> int:
    """How many subscriptions a group has, with its entries'."""
    row = COUNT.row(write.connection, group=group_id)
    return int(row[0]) if row else 0


def find_subscription(connection: Connection, key: str, now: int) -> Subscription:
    """The subscription of a key; raises ResourceUnknown where there is none or it is over."""
    row = BY_KEY.row(connection, of_key=key, now=now)
    if row is None:
        raise ResourceUnknown(f"there is no subscription {key[:100]!r}; it ended or never was")
    return Subscription(*row)


def renew_subscription(write: Write, found: Subscription, termination: int | None) -> None:
    """Let a subscription last until another time."""
    write.run(RENEW, of=found.id, until=termination)
    write.join(found.group_id, 0)


def extend_subscription(write: Write, found: Subscription, termination: int | None) -> None:
    """The same for one that is fetched from, whose end the store alone needs to know."""
    write.run(RENEW, of=found.id, until=termination)


def pause_subscription(write: Write, found: Subscription) -> None:
    """Tell its consumer nothing of what comes until it is resumed."""
    write.join(found.group_id, 0, PAUSE, of=found.id)


def resume_subscription(write: Write, found: Subscription) -> None:
    """Tell its consumer again, of what comes from now on."""
    write.join(found.group_id, 0, RESUME, of=found.id)


def end_subscription(write: Write, found: Subscription) -> None:
    """End a subscription. Safe twice."""
    if write.run(END, of=found.id):
        write.join(found.group_id, -1)
        note_subscription(write, "unsubscribed", found.group_id, found.key, found.entry_key)


def end_subscriptions(write: Write, *, most: int) -> int:
    """End those whose time is over, at most `most`; how many it were."""
    found = [Subscription(*row) for row in ENDED.rows(write.connection, now=write.now, most=most)]
    for one in found:
        end_subscription(write, one)
    return len(found)


def subscriptions_of(connection: Connection, group_id: int) -> list[Subscription]:
    """All subscriptions to a group and to its entries, those that are over too."""
    return [Subscription(*row) for row in OF_GROUP.rows(connection, group=group_id)]
