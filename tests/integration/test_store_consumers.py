"""What waits for sources: in order, of each subscription its share, and through a change of it."""

from __future__ import annotations

from functools import partial

import pytest

from aggregator.errors import InboxFull, NotifyRefused
from aggregator.model import Plan
from aggregator.store.collection import Outcome, load_assignment, record_outcomes
from aggregator.store.consumers import (
    Waiting,
    close_consumer,
    close_orphans,
    load_messages,
    mark_of,
    open_consumer,
    put_fetched,
    put_messages,
    waiting_messages,
)
from aggregator.store.engine import Store
from aggregator.store.leases import take_shards
from aggregator.store.reading import load_entries
from aggregator.wire.faults import fault_kind
from tests import stores
from tests.stores import added

store = stores.store


def subscribed(store: Store, entry: int, token: str) -> None:
    store.writer.run(partial(open_consumer, token=token, group_id=1, entry_id=entry))


def put(store: Store, token: str, *messages: bytes) -> None:
    store.writer.run(
        lambda write: put_messages(write, token, messages, most=1000, check=lambda a, m: None)
    )


def waiting(store: Store, *, each: int = 10, most: int = 100) -> list[Waiting]:
    ask = partial(waiting_messages, shards=range(4), of=4, each=each, most=most)
    return store.query(ask)


def texts(store: Store, found: list[Waiting]) -> list[bytes]:
    numbers = [one.id for one in found]
    return [one.message for one in store.query(partial(load_messages, ids=numbers))]


def test_who_tells_much_keeps_no_other_waiting(store: Store) -> None:
    loud, quiet = added(store).id, added(store).id
    subscribed(store, loud, "loud")
    subscribed(store, quiet, "quiet")
    put(store, "loud", *(b"%d" % number for number in range(200)))
    put(store, "quiet", b"here")
    found = waiting(store, each=3, most=3)
    assert [one.entry for one in found] == [loud, quiet, loud]
    assert texts(store, [one for one in found if one.entry == loud]) == [b"0", b"1"]
    assert len(waiting(store, each=3)) == 4


def test_a_collector_sees_what_is_of_its_shards_alone(store: Store) -> None:
    entry = added(store).id
    subscribed(store, entry, "token")
    put(store, "token", b"x")
    assigned = store.query(lambda connection: load_assignment(connection, entry))
    assert assigned is not None
    for shard in range(64):
        ask = partial(waiting_messages, shards=[shard], of=64, each=5, most=5)
        assert bool(store.query(ask)) == (shard == assigned.shard)


def test_who_comes_too_early_is_not_told_that_it_is_wrong(store: Store) -> None:
    """A producer of ours leaves out what is its own mistake, and keeps what is not."""
    entry = added(store).id
    subscribed(store, entry, "token")
    # However many come at once: an empty inbox takes them, which could never be told else.
    put(store, "token", *[b"x"] * 1001)
    with pytest.raises(InboxFull) as raised:
        put(store, "token", b"x")
    assert not fault_kind(raised.value).client
    assert len(waiting(store, each=2000, most=2000)) == 1001


def test_what_came_before_an_address_was_closed_is_heard(store: Store) -> None:
    entry = added(store).id
    subscribed(store, entry, "token")
    put(store, "token", b"came before")
    for _ in range(2):
        store.writer.run(partial(close_consumer, mark=mark_of("token")))
        store.writer.run(close_orphans)
    with pytest.raises(NotifyRefused, match="no subscription"):
        put(store, "token", b"came after")
    assert texts(store, waiting(store)) == [b"came before"]


def test_messages_are_recorded_in_their_order_by_whatever_clock(store: Store) -> None:
    """The clock is set back between two of them."""
    entry = added(store, plan=Plan("subscription", 0, {}, upkeep=1000)).id
    subscribed(store, entry, "token")
    put(store, "token", b"1", b"2")
    assigned = store.query(lambda connection: load_assignment(connection, entry))
    assert assigned is not None
    epoch = store.writer.run(lambda write: take_shards(write, "me", range(64), 3))[assigned.shard]
    for message, attempt in zip(waiting(store), (2000, 1000), strict=True):
        outcome = Outcome(
            entry,
            attempt,
            epoch,
            assigned.shard,
            (b"<m/>", b"%d" % attempt),
            messages=(message.id,),
        )
        store.writer.run(partial(record_outcomes, outcomes=[outcome], holder="me"))
    assert waiting(store) == []
    found = store.query(lambda connection: load_entries(connection, [entry]))[0]
    assert found.data[1] == b"1000"
    assert found.health.last_success == 2000


def test_what_was_fetched_is_taken_however_much_waits(store: Store) -> None:
    entry = added(store).id
    subscribed(store, entry, "token")
    put(store, "token", b"0")
    fetched = partial(put_fetched, mark=mark_of("token"), messages=[b"1", b"2"])
    assert store.writer.run(fetched) == 3
    assert texts(store, waiting(store)) == [b"0", b"1", b"2"]
    store.writer.run(partial(close_consumer, mark=mark_of("token")))
    with pytest.raises(NotifyRefused):
        store.writer.run(fetched)
