"""Entries: added, found, removed."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

from sqlalchemy import BigInteger, Connection, bindparam, delete, func, or_, select

from aggregator.model import Entry, Health, Plan, Registration
from aggregator.store.chunks import chunks
from aggregator.store.content import digest, pack
from aggregator.store.counting import count_entries
from aggregator.store.outbox import is_subscribed, keep_removed
from aggregator.store.releases import note_releases
from aggregator.store.renewing import renew_entries
from aggregator.store.rows import entry_of, select_entries
from aggregator.store.rows_of_entry import insert_entry
from aggregator.store.shards import slot_of
from aggregator.store.statement import Statement
from aggregator.store.tables import entries, entry_state, groups
from aggregator.store.write import Write

__all__ = [
    "Removed",
    "add_entry",
    "count_entries",
    "existing_keys",
    "find_duplicate",
    "get_entry",
    "new_key",
    "remove_entry",
    "remove_expired",
    "renew_entries",
]

_live = or_(entry_state.c.termination.is_(None), entry_state.c.termination > bindparam("now"))
_by_key = (entry_state.c.key == bindparam("of_key"), entry_state.c.group_id == bindparam("group"))

GET = Statement(select_entries().where(*_by_key, _live))
DUPLICATE = Statement(
    select_entries()
    .where(
        entries.c.group_id == bindparam("group"),
        entries.c.fingerprint == bindparam("print"),
        # Said for the index, which leaves the empty ones out.
        entries.c.fingerprint != "",
        _live,
    )
    .order_by(entries.c.id)
    .limit(1)
)
_EXISTING = select(entry_state.c.key).where(
    entry_state.c.key.in_(bindparam("keys", expanding=True))
)
LOCK = Statement(select(func.pg_advisory_xact_lock(bindparam("of", type_=BigInteger()))))

FIND = Statement(
    select(entries.c.id, entries.c.owner, entries.c.established, entries.c.address)
    .join(entry_state, entry_state.c.entry_id == entries.c.id)
    .where(*_by_key, _live)
    .with_for_update()
)
REMOVE = Statement(delete(entries).where(entries.c.id == bindparam("entry")))
_ended = entry_state.c.termination <= bindparam("now")
EXPIRED = Statement(
    select(
        entries.c.id,
        entries.c.group_id,
        entries.c.owner,
        entries.c.established,
        # No join: the rows of groups must not be locked along.
        select(groups.c.name).where(groups.c.id == entries.c.group_id).scalar_subquery(),
        entry_state.c.key,
        entries.c.address,
    )
    .join(entry_state, entry_state.c.entry_id == entries.c.id)
    .where(_ended)
    .order_by(entry_state.c.termination)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
OLDEST_EXPIRED = Statement(
    select(func.min(entry_state.c.termination)).where(entry_state.c.termination <= bindparam("now"))
)
_REMOVE_ALL = delete(entries).where(entries.c.id.in_(bindparam("ids", expanding=True)))

_UNTRIED = {
    "last_attempt": None,
    "epoch": 0,
    "last_success": None,
    "failures": 0,
    "error_code": "",
    "error_message": "",
    "error_since": None,
    "skipped": 0,
    "version": 0,
}


class Removed(NamedTuple):
    """Of an entry that expired and was removed: its group's name, its key, its member's address."""

    group: str
    key: str
    address: str


def new_key(now: int) -> str:
    """A key for an entry, made at `now`: 128 random bits behind the time.

    The time keeps keys of entries that are made together together in the index, so that an Add
    costs the same in a store of a hundred thousand; it is no secret, being told as a property.
    """
    return f"{now:014x}{uuid.uuid4().hex}"


def add_entry(
    write: Write, registration: Registration, *, group_id: int, due: int | None, key: str
) -> Entry:
    """Store a registration under `key`; `due` is when it is collected first."""
    plan = registration.plan
    interval = plan.interval if plan else 0
    data = pack(registration.content)
    owner = registration.caller.owner
    number = insert_entry(
        write,
        cold=_cold(registration, group_id=group_id, added=write.now),
        state={
            "group_id": group_id,
            "key": key,
            "slot": slot_of(key),
            "termination": registration.termination,
            "due": due,
            "interval": interval,
            "version": 1,
        },
        health={
            **_UNTRIED,
            "digest": digest(data),
            "memory": json.dumps(dict(registration.memory)) if registration.memory else "{}",
        },
        data=data,
    )
    write.count(group_id, owner, 1)
    write.change(group_id, number, "added")
    return Entry(
        id=number,
        group=registration.group,
        key=key,
        member=registration.member,
        address=registration.address,
        dialect=registration.dialect,
        config=registration.config,
        data=registration.content,
        health=Health(),
        interval=interval,
        termination=registration.termination,
        owner=owner,
        origin=registration.origin,
        version=1,
    )


def _cold(registration: Registration, *, group_id: int, added: int) -> dict[str, object]:
    """What of an entry never changes."""
    plan = registration.plan
    return {
        "group_id": group_id,
        "member": registration.member,
        "address": registration.address,
        "dialect": registration.dialect,
        "config": registration.config,
        "owner": registration.caller.owner,
        "origin": registration.origin,
        "plan": plan.dumps() if plan else "",
        "sink_plans": _dumps(registration.sink_plans),
        "fingerprint": registration.fingerprint,
        "added": added,
        "established": int(registration.established),
    }


def _dumps(plans: Mapping[str, Plan]) -> str:
    return json.dumps({name: plan.dumps() for name, plan in plans.items()}) if plans else "{}"


def get_entry(connection: Connection, group_id: int, key: str, now: int) -> Entry | None:
    """The entry under `key`, None when it is unknown or expired."""
    row = GET.row(connection, of_key=key, group=group_id, now=now)
    return None if row is None else entry_of(row)


def find_duplicate(
    connection: Connection, group_id: int, fingerprint: str, now: int
) -> Entry | None:
    """The oldest entry that is not expired and has this fingerprint, which must not be empty.

    Called in a unit, nobody else adds an entry with this fingerprint before the unit's commit.
    """
    if connection.dialect.name != "sqlite":
        mark = blake2b(f"{group_id} {fingerprint}".encode(), digest_size=8).digest()
        LOCK.row(connection, of=int.from_bytes(mark, signed=True))
    row = DUPLICATE.row(connection, group=group_id, print=fingerprint, now=now)
    return None if row is None else entry_of(row)


def remove_entry(write: Write, group_id: int, key: str) -> str | None:
    """Remove an entry; its member's address, None when it is unknown or expired."""
    found = FIND.row(write.connection, of_key=key, group=group_id, now=write.now)
    if found is None:
        return None
    number, owner, established, address = found
    if established:
        note_releases(write, [number])
    if is_subscribed(write, group_id):
        keep_removed(write, [number])
    write.run(REMOVE, entry=number)
    write.count(group_id, owner, -1)
    write.change(group_id, number, "removed")
    return str(address)


def remove_expired(write: Write, limit: int) -> list[Removed]:
    """Remove at most `limit` of the entries that have expired, of all groups; which they were."""
    found = EXPIRED.rows(write.connection, now=write.now, most=limit)
    if established := [row[0] for row in found if row[3]]:
        note_releases(write, established)
    if kept := [row[0] for row in found if is_subscribed(write, row[1])]:
        keep_removed(write, kept)
    for number, group_id, owner, *_ in found:
        write.count(group_id, owner, -1)
        write.change(group_id, number, "removed")
    for chunk in chunks([row[0] for row in found]):
        write.connection.execute(_REMOVE_ALL, {"ids": chunk})
    return [Removed(*row[4:]) for row in found]


def oldest_expired(connection: Connection, now: int) -> int | None:
    """When the first of the entries that expired and are still stored did; None without any."""
    row = OLDEST_EXPIRED.row(connection, now=now)
    return None if row is None else row[0]


def existing_keys(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Which of these keys of entries there are, expired or not."""
    return {
        row[0] for chunk in chunks(keys) for row in connection.execute(_EXISTING, {"keys": chunk})
    }
