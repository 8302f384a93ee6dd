"""The outbox: what there is to tell of changes, in their own transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, Text, bindparam, delete, func, insert, select, update

from aggregator.model import Entry, Health
from aggregator.store.bus_places import note_subscription
from aggregator.store.chunks import chunks
from aggregator.store.content import unpack
from aggregator.store.groups import sequence as last_sequence
from aggregator.store.statement import Row, Statement
from aggregator.store.subscription_tables import (
    BUS,
    notices,
    subscription_state,
    subscriptions,
)
from aggregator.store.subscriptions import END
from aggregator.store.tables import entries, entry_data, entry_health, entry_state, groups
from aggregator.store.write import Overtaken, Write

_ENTRY = (
    entry_state.c.key,
    entries.c.member,
    entries.c.address,
    entries.c.dialect,
    entries.c.config,
    entry_data.c.data,
    entry_state.c.termination,
    entry_health.c.last_success,
    entry_health.c.failures,
    entry_health.c.error_code,
    entry_health.c.error_message,
    entry_health.c.error_since,
)
_NAMES = [column.name for column in _ENTRY]


def _of_entries(*columns: Any, after: Sequence[Any] = ()) -> Any:
    return (
        select(*columns, *_ENTRY, *after)
        .select_from(entries)
        .join(entry_state, entry_state.c.entry_id == entries.c.id)
        .join(entry_health, entry_health.c.entry_id == entries.c.id)
        .join(entry_data, entry_data.c.entry_id == entries.c.id)
    )


NOTE = Statement(
    insert(notices).from_select(
        ["group_id", "sequence", "at", "kind", "entry_id", *_NAMES, "turn"],
        _of_entries(
            bindparam("group", type_=BigInteger()),
            bindparam("sequence", type_=BigInteger()),
            bindparam("at", type_=BigInteger()),
            bindparam("kind", type_=Text()),
            entries.c.id,
            after=(bindparam("turn", type_=Text()),),
        ).where(entries.c.id == bindparam("entry")),
    ),
)
NOTE_REMOVED = Statement(insert(notices))
_BEFORE = _of_entries(entries.c.id).where(entries.c.id.in_(bindparam("ids", expanding=True)))
SUBSCRIBERS = Statement(select(groups.c.subscribers).where(groups.c.id == bindparam("group")))
_after = (notices.c.group_id == bindparam("group"), notices.c.sequence > bindparam("after"))
SIZES = Statement(
    select(
        notices.c.sequence,
        func.length(notices.c.member) + func.length(notices.c.config) + func.length(notices.c.data),
    )
    .where(*_after)
    .order_by(notices.c.sequence)
    .limit(bindparam("most"))
)
AFTER = Statement(
    select(notices)
    .where(*_after, notices.c.sequence <= bindparam("last"))
    .order_by(notices.c.sequence)
)
_LAST = (
    select(notices)
    .where(
        notices.c.group_id == bindparam("group"),
        notices.c.kind.in_(bindparam("kinds", expanding=True)),
    )
    .order_by(notices.c.sequence.desc())
    .limit(1)
)
OLDER = Statement(
    select(func.max(notices.c.sequence)).where(
        notices.c.group_id == bindparam("group"), notices.c.at < bindparam("before")
    )
)
DONE = Statement(
    select(func.min(subscription_state.c.sent))
    .join(subscriptions, subscriptions.c.id == subscription_state.c.subscription_id)
    .where(subscriptions.c.group_id == bindparam("group"))
)
_of_group = subscription_state.c.subscription_id.in_(
    select(subscriptions.c.id).where(subscriptions.c.group_id == bindparam("group"))
)
LATE = Statement(
    select(
        subscription_state.c.subscription_id,
        subscriptions.c.key,
        subscriptions.c.entry_key,
        subscriptions.c.dialect,
    )
    .join(subscriptions, subscriptions.c.id == subscription_state.c.subscription_id)
    .where(
        # One that was paused is not told of what came meanwhile, and so has not stayed away.
        _of_group,
        subscription_state.c.paused == 0,
        subscription_state.c.sent < bindparam("floor"),
        subscription_state.c.skip_to < bindparam("floor"),
    )
)
PASS_OVER = Statement(
    update(subscription_state)
    .where(subscription_state.c.subscription_id == bindparam("of"))
    .values(
        dropped=subscription_state.c.dropped + bindparam("floor") - subscription_state.c.sent,
        sent=bindparam("floor"),
    )
)
DROP = Statement(
    delete(notices).where(
        notices.c.group_id == bindparam("group"), notices.c.sequence <= bindparam("last")
    )
)


class Told(NamedTuple):
    """What there is to tell of a change: the entry as it was after it, or before it was removed.

    `turn` is ``failing`` where collecting began to fail with it, ``recovered`` where it ceased to.
    """

    group_id: int
    sequence: int
    at: int
    kind: str
    entry: Entry
    turn: str = ""


def is_subscribed(write: Write, group_id: int) -> bool:
    """Whether somebody subscribed to the group or to one of its entries."""
    found = write.tally.subscribed.get(group_id)
    if found is None:
        row = SUBSCRIBERS.row(write.connection, group=group_id)
        found = write.tally.subscribed[group_id] = bool(row and row[0])
    return found


def keep_removed(write: Write, ids: Sequence[int]) -> None:
    """Remember entries that are about to be removed, for who subscribed to their group."""
    for chunk in chunks(ids):
        for row in write.connection.execute(_BEFORE, {"ids": chunk}):
            write.tally.removed[row[0]] = tuple(row[1:])


def write_notices(write: Write, log: Sequence[tuple[int, int, int, int, str]]) -> None:
    """Write what there is to tell of changes: group, sequence, instant, entry, kind of each."""
    last = {entry: kind for _, _, _, entry, kind in log}
    for group, sequence, at, entry, kind in log:
        turn = write.tally.turns.get(entry, "") if kind in ("health", "content") else ""
        if last[entry] != "removed":
            values = {"group": group, "sequence": sequence, "at": at, "kind": kind}
            write.run(NOTE, **values, entry=entry, turn=turn)
            continue
        # It is gone by now, and what came before its end in this transaction with it.
        removed = write.tally.removed.get(entry)
        if removed is None:
            raise Overtaken("somebody subscribed to the group meanwhile")
        values = dict(zip(_NAMES, removed, strict=True))
        values |= {"group_id": group, "sequence": sequence, "at": at, "kind": kind, "turn": turn}
        write.run(NOTE_REMOVED, entry_id=entry, **values)


def notices_after(
    connection: Connection,
    group_id: int,
    sequence: int,
    *,
    group: str,
    most: int,
    room: int = 16 * 2**20,
) -> list[Told]:
    """What there is to tell of the group's changes after a sequence, in order: at most `most`, and
    as many as `room` bytes hold, as stored, but one at least.
    """
    last = sequence
    for number, size in SIZES.rows(connection, group=group_id, after=sequence, most=most):
        room -= size
        if room < 0 and last > sequence:
            break
        last = number
    rows = AFTER.rows(connection, group=group_id, after=sequence, last=last)
    return [_told(row, group) for row in rows]


def last_notice(
    connection: Connection, group_id: int, *, group: str, kinds: Sequence[str]
) -> Told | None:
    """The last change of some kinds that there is to tell of, None where there is none."""
    values = {"group": group_id, "kinds": list(kinds)}
    row = connection.execute(_LAST, values).first()
    return None if row is None else _told(tuple(row), group)


def prune_notices(
    write: Write, group_id: int, *, before: int, longest: int, ends: bool
) -> tuple[int, list[int]]:
    """Drop what all subscribers of a group have, and what is older than the instant `before` or
    beyond the last `longest` changes.

    Who was not told of that by now passes over it; where it `ends` them, their subscriptions end.
    Returns the last sequence that nobody is told of any more, and the subscriptions that ended.
    """
    row = OLDER.row(write.connection, group=group_id, before=before)
    floor = int(row[0]) if row and row[0] is not None else 0
    last = last_sequence(write.connection, group_id)
    floor = max(floor, last - longest)
    late: list[int] = []
    for number, key, entry_key, dialect in LATE.rows(write.connection, group=group_id, floor=floor):
        if not ends or dialect == BUS:
            write.run(PASS_OVER, of=number, floor=floor)
        elif write.run(END, of=number):
            write.join(group_id, -1)
            note_subscription(write, "unsubscribed", group_id, key, entry_key)
        late.append(number)
    row = DONE.row(write.connection, group=group_id)
    done = int(row[0]) if row is not None and row[0] is not None else last
    write.run(DROP, group=group_id, last=max(floor, done))
    return floor, late


def _told(row: Row, group: str) -> Told:
    (
        group_id, sequence, at, kind, entry_id, key, member, address, dialect, config, data,
        termination, last_success, failures, error_code, error_message, error_since, turn,
    ) = row  # fmt: skip
    entry = Entry(
        id=entry_id,
        group=group,
        key=key,
        member=member,
        address=address,
        dialect=dialect,
        config=config,
        data=unpack(data),
        health=Health(
            last_success=last_success,
            consecutive_failures=failures,
            error_code=error_code,
            error_message=error_message,
            since=error_since,
        ),
        interval=0,
        termination=termination,
        owner="",
        origin="",
        version=sequence,
    )
    return Told(group_id, sequence, at, kind, entry, turn)
