"""The service as a consumer: addresses for notifications, and the inbox of what came there."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import (
    Connection,
    Text,
    bindparam,
    cast,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from aggregator.errors import InboxFull, NotifyRefused
from aggregator.store.chunks import chunks
from aggregator.store.consumer_tables import consumers, inbox
from aggregator.store.statement import Statement
from aggregator.store.tables import entries, entry_health, entry_state
from aggregator.store.write import Write

CONSUMER_PATH = "/wsrf/services/NotificationConsumerService/"
"""Where notifications come to; the token follows."""

#: What stands in the place of the hash of a closed address's token; no hash begins so.
_CLOSED = "closed:"
#: Microseconds that an address waits for its entry; an Add is over long before.
_ORPHANED = 600_000_000

OPEN = Statement(
    insert(consumers).values(
        token=bindparam("of"),
        group_id=bindparam("group"),
        entry_id=bindparam("entry"),
        created=bindparam("now"),
    )
)
# One where something waits takes nothing more under any token, and goes once it is empty.
_waits = exists().where(inbox.c.consumer_id == consumers.c.id)
CLOSE = Statement(delete(consumers).where(consumers.c.token == bindparam("of"), ~_waits))
SHUT = Statement(
    update(consumers)
    .where(consumers.c.token == bindparam("of"))
    .values(token=_CLOSED + cast(consumers.c.id, Text))
)
CLOSED = Statement(delete(consumers).where(consumers.c.token.like(_CLOSED + "%"), ~_waits))
ATTACH = Statement(
    update(consumers)
    .where(consumers.c.token == bindparam("of"), consumers.c.entry_id.is_(None))
    .values(entry_id=bindparam("entry"))
)
ORPHANS = Statement(
    delete(consumers).where(
        consumers.c.entry_id.is_(None), consumers.c.created < bindparam("before")
    )
)
FIND = Statement(
    select(
        consumers.c.id,
        entries.c.address,
        entry_health.c.memory,
        select(func.count())
        .select_from(inbox)
        .where(inbox.c.consumer_id == consumers.c.id)
        .scalar_subquery(),
    )
    .select_from(consumers)
    .outerjoin(entries, entries.c.id == consumers.c.entry_id)
    .outerjoin(entry_state, entry_state.c.entry_id == consumers.c.entry_id)
    .outerjoin(entry_health, entry_health.c.entry_id == consumers.c.entry_id)
    .where(
        consumers.c.token == bindparam("of"),
        or_(
            consumers.c.entry_id.is_(None),
            entry_state.c.termination.is_(None),
            entry_state.c.termination > bindparam("now"),
        ),
    )
)
PUT = Statement(
    insert(inbox).values(
        consumer_id=bindparam("consumer"), at=bindparam("now"), message=bindparam("of")
    )
)
_of_shards = (entry_state.c.slot % bindparam("of")).in_(bindparam("shards", expanding=True))
_OLDEST = (
    select(inbox.c.id, consumers.c.entry_id)
    .join(consumers, consumers.c.id == inbox.c.consumer_id)
    .join(entry_state, entry_state.c.entry_id == consumers.c.entry_id)
    .where(_of_shards)
    .order_by(inbox.c.id)
    .limit(bindparam("most"))
)
# Each subscription's oldest only: who tells faster than it is heard keeps no other waiting. All
# that waits is looked at for that, which takes too long for where it is not needed.
_numbered = (
    select(
        inbox.c.id,
        consumers.c.entry_id,
        func.row_number()
        .over(partition_by=inbox.c.consumer_id, order_by=inbox.c.id)
        .label("place"),
    )
    .join(consumers, consumers.c.id == inbox.c.consumer_id)
    .join(entry_state, entry_state.c.entry_id == consumers.c.entry_id)
    .where(_of_shards)
    .subquery()
)
_WAITING = (
    select(_numbered.c.id, _numbered.c.entry_id)
    .where(_numbered.c.place <= bindparam("each"))
    .order_by(_numbered.c.place, _numbered.c.id)
    .limit(bindparam("most"))
)
_MESSAGES = (
    select(inbox.c.id, inbox.c.message)
    .where(inbox.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(inbox.c.id)
)
_TAKE = delete(inbox).where(inbox.c.id.in_(bindparam("ids", expanding=True)))


class Waiting(NamedTuple):
    """A message that waits: its number and its entry's id."""

    id: int
    entry: int


class Message(NamedTuple):
    """What came to one of our addresses: its number and the bytes."""

    id: int
    message: bytes


def new_token() -> str:
    """A token that nobody can guess: 256 random bits, fit for a path."""
    return secrets.token_urlsafe(32)


def mark_of(token: str) -> str:
    """What the store knows of a token: enough to close the address, too little to send to it."""
    return hashlib.sha256(token.encode()).hexdigest()


def open_consumer(write: Write, token: str, *, group_id: int, entry_id: int | None) -> None:
    """Have notifications taken at the address with this token from now on."""
    write.run(OPEN, of=mark_of(token), group=group_id, entry=entry_id, now=write.now)


def attach_consumers(write: Write, tokens: Collection[str], *, entry_id: int) -> None:
    """Let addresses that were opened during an Add belong to the entry that it made."""
    for token in tokens:
        write.run(ATTACH, of=mark_of(token), entry=entry_id)


def close_consumer(write: Write, mark: str) -> None:
    """Take nothing more at the address whose token has a mark; what waits there is dealt with
    still. Safe twice."""
    if not write.run(CLOSE, of=mark):
        write.run(SHUT, of=mark)


def close_orphans(write: Write) -> None:
    """Drop the addresses of Adds that were never finished, and closed ones that are empty."""
    write.run(CLOSED)
    write.run(ORPHANS, before=write.now - _ORPHANED)


def put_messages(
    write: Write,
    token: str,
    messages: Sequence[bytes],
    *,
    most: int,
    check: Callable[[str, Mapping[str, str]], None],
) -> None:
    """Put notifications into the inbox.

    Once there is an entry, `check` is asked with its member's address and its memory, and may
    refuse. Raises NotifyRefused where nobody waits for them, InboxFull where too many wait.
    """
    # Found by the hash of the token, whose comparison tells nothing about the token.
    row = FIND.row(write.connection, of=mark_of(token), now=write.now)
    if row is None:
        raise NotifyRefused("no subscription of ours is at this address", reason="unknown")
    consumer, address, memory, waiting = row
    if address is not None:
        check(str(address), json.loads(memory))
    # An empty one takes any number: who tells many at once would never be heard else.
    if waiting and waiting + len(messages) > most:
        raise InboxFull(
            f"{waiting} notifications wait for this subscription's collector already; "
            f"at most {most} may",
            reason="full",
        )
    for message in messages:
        write.run(PUT, consumer=consumer, of=message, now=write.now)


def put_fetched(write: Write, mark: str, messages: Sequence[bytes]) -> int:
    """Put messages that the service fetched itself into the inbox, as if they had come to the
    address whose token has a mark; how many wait there now.

    None is refused for want of room, since it can't be fetched again. Raises NotifyRefused where
    the address is closed.
    """
    row = FIND.row(write.connection, of=mark, now=write.now)
    if row is None:
        raise NotifyRefused("no subscription of ours is at this address", reason="unknown")
    consumer, _, _, waiting = row
    for message in messages:
        write.run(PUT, consumer=consumer, of=message, now=write.now)
    return int(waiting) + len(messages)


def waiting_messages(
    connection: Connection, *, shards: Collection[int], of: int, each: int, most: int
) -> list[Waiting]:
    """The messages that wait for the collector of shards, out of `of`: each subscription's oldest
    `each`, in their order, and at most `most` of all."""
    values: dict[str, object] = {"shards": list(shards), "of": of, "most": most}
    found = [Waiting(*row) for row in connection.execute(_OLDEST, values)]
    if len(found) == most:
        return [Waiting(*row) for row in connection.execute(_WAITING, {**values, "each": each})]
    seen: Counter[int] = Counter()
    fair: list[Waiting] = []
    for one in found:
        seen[one.entry] += 1
        if seen[one.entry] <= each:
            fair.append(one)
    return fair


def load_messages(connection: Connection, ids: Sequence[int]) -> list[Message]:
    """Messages by their numbers, in order; those that are gone are left out."""
    return [
        Message(*row)
        for chunk in chunks(ids)
        for row in connection.execute(_MESSAGES, {"ids": chunk})
    ]


def take_messages(write: Write, ids: Sequence[int]) -> None:
    """Remove messages that were dealt with."""
    for chunk in chunks(ids):
        write.wrote = True
        write.connection.execute(_TAKE, {"ids": chunk})
