"""The bus's places among the subscriptions, and what is noted for it, in the store."""

from __future__ import annotations

from functools import partial

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations

from aggregator.errors import ResourceUnknown
from aggregator.store.bus_places import Place, end_places, make_place, move_place, places
from aggregator.store.collection import Outcome, record_outcomes
from aggregator.store.engine import Store
from aggregator.store.entries import remove_entry, remove_expired
from aggregator.store.happenings import (
    Happening,
    note_happening,
    note_start,
    note_stop,
    prune_happenings,
    told_happenings,
    waiting_happenings,
)
from aggregator.store.leases import take_shards
from aggregator.store.migrations.versions import m0007_events
from aggregator.store.outbox import Told, notices_after, prune_notices
from aggregator.store.pull_points import destroy_pull_point, make_pull_point
from aggregator.store.shards import slot_of
from aggregator.store.subscriptions import (
    count_subscriptions,
    end_subscription,
    end_subscriptions,
    find_subscription,
    subscriptions_of,
)
from tests import stores
from tests.stores import SECOND, ManualClock, added, subscribe

store, clock = stores.store, stores.clock


def place(store: Store) -> Place:
    (found,) = store.query(places)
    return found


def told(store: Store, after: int = 0) -> list[Told]:
    return store.query(partial(notices_after, group_id=1, sequence=after, group="A", most=100))


def happened(store: Store) -> list[Happening]:
    return store.query(partial(waiting_happenings, most=100))


def test_a_place_begins_at_the_present_and_is_one(store: Store) -> None:
    added(store)
    for _ in range(2):
        store.writer.run(partial(make_place, group_id=1))
    assert place(store).sent == 1
    added(store)
    assert [one.sequence for one in told(store)] == [2]
    store.writer.run(end_places)
    added(store)
    assert [one.sequence for one in told(store)] == [2], "nothing more is written down"


def test_a_place_is_moved_from_where_it_was_seen(store: Store) -> None:
    store.writer.run(partial(make_place, group_id=1))
    seen = place(store)
    for _ in range(3):
        added(store)
    assert store.writer.run(partial(move_place, place=seen, to=2))
    assert not store.writer.run(partial(move_place, place=seen, to=3)), "another one was there"
    assert place(store).sent == 2


def test_a_place_is_no_subscription_for_clients(store: Store) -> None:
    store.writer.run(partial(make_place, group_id=1))
    assert store.writer.run(partial(count_subscriptions, group_id=1)) == 0
    assert store.query(partial(subscriptions_of, group_id=1)) == []
    with pytest.raises(ResourceUnknown):
        store.query(partial(find_subscription, key="events:1", now=0))


def test_nothing_of_a_place_outlives_the_step_back(store: Store) -> None:
    for group in (1, 2):
        store.writer.run(partial(make_place, group_id=group))
    key = store.writer.run(subscribe)
    with store.database.writing.connect() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            m0007_events.downgrade()
        found = connection.exec_driver_sql("SELECT key FROM subscriptions").scalars().all()
        assert found == [key]
        counts = connection.exec_driver_sql("SELECT subscribers FROM groups ORDER BY id")
        assert counts.scalars().all() == [1, 0]
        states = connection.exec_driver_sql("SELECT count(*) FROM subscription_state")
        assert states.scalar() == 1


def test_a_bus_that_stays_away_passes_over_and_is_never_ended(store: Store) -> None:
    store.writer.run(partial(make_place, group_id=1))
    for _ in range(5):
        added(store)
    store.writer.run(partial(prune_notices, group_id=1, before=0, longest=2, ends=True))
    assert (place(store).sent, place(store).dropped) == (3, 3)
    assert [one.sequence for one in told(store)] == [4, 5]


def test_the_end_of_an_entry_tells_how_it_came(store: Store, clock: ManualClock) -> None:
    store.writer.run(partial(make_place, group_id=1))
    entries = [added(store, termination=clock.time + SECOND) for _ in range(2)]
    store.writer.run(lambda write: remove_entry(write, 1, entries[0].key))
    clock.time += SECOND
    store.writer.run(partial(remove_expired, limit=10))
    ends = [
        (one.entry.key, (one.entry.termination or 0) <= one.at)
        for one in told(store)
        if one.kind == "removed"
    ]
    assert ends == [(entries[0].key, False), (entries[1].key, True)]


def test_where_collecting_begins_and_ceases_to_fail_is_noted(store: Store) -> None:
    store.writer.run(partial(make_place, group_id=1))
    entry = added(store)
    shard = slot_of(entry.key) % 16
    epochs = store.writer.run(partial(take_shards, holder="me", shards=range(16), ttl=60.0))
    for attempt, (error, data) in enumerate(
        [
            (("x", "no"), None),
            (("x", "no"), None),
            (("y", "other"), None),
            (None, (b"<a/>",)),
            (None, (b"<b/>",)),
            (("x", "no"), None),
            (None, (b"<b/>",)),
        ],
        1,
    ):
        outcome = Outcome(entry.id, attempt, epochs[shard], shard, data, error)
        store.writer.run(partial(record_outcomes, outcomes=[outcome], holder="me"))
    assert [(one.kind, one.turn) for one in told(store)] == [
        ("added", ""),
        ("health", "failing"),
        ("health", ""),
        ("health", ""),
        ("content", "recovered"),
        ("content", ""),
        ("health", "failing"),
        ("health", "recovered"),
    ]


def test_subscriptions_are_noted_for_a_group_on_the_bus_alone(store: Store) -> None:
    store.writer.run(subscribe)
    assert happened(store) == []
    store.writer.run(partial(make_place, group_id=1))
    key = store.writer.run(subscribe)
    found = next(
        one for one in store.query(partial(subscriptions_of, group_id=1)) if one.key == key
    )
    for _ in range(2):
        store.writer.run(partial(end_subscription, found=found))
    assert [one.kind for one in happened(store)] == ["subscribed", "unsubscribed"]
    assert len({one.key for one in happened(store)}) == 1
    assert key not in {one.key for one in happened(store)}, "who knows it can end it"


def test_a_subscription_that_ends_otherwise_is_noted_too(store: Store) -> None:
    """With its pull point; because it stayed away; because its time is over."""
    store.writer.run(partial(make_place, group_id=1))
    number, _ = store.writer.run(partial(make_pull_point, lifetime=60))
    store.writer.run(partial(subscribe, pull_point=number))
    store.writer.run(partial(destroy_pull_point, number=number))
    store.writer.run(subscribe)
    for _ in range(5):
        added(store)
    store.writer.run(partial(prune_notices, group_id=1, before=0, longest=2, ends=True))
    store.writer.run(partial(subscribe, termination=1))
    assert store.writer.run(partial(end_subscriptions, most=9)) == 1
    assert [one.kind for one in happened(store)] == ["subscribed", "unsubscribed"] * 3


def test_a_start_is_told_once_for_each_start(store: Store) -> None:
    start = partial(note_start, started=1, address="http://h/")
    assert store.writer.run(partial(start, container="host"))
    assert not store.writer.run(partial(start, container="host"))
    assert store.writer.run(partial(start, container="other"))
    store.writer.run(partial(note_stop, container="host", address="http://h/"))
    assert store.writer.run(partial(start, container="host"))
    # One that was killed told no stop, and starts all the same.
    assert store.writer.run(partial(start, container="host", started=2))
    assert [(one.kind, one.key) for one in happened(store)] == [
        ("started", "host"),
        ("started", "other"),
        ("stopped", "host"),
        ("started", "host"),
        ("started", "host"),
    ]


def test_what_happened_is_kept_until_it_was_told_but_not_for_ever(
    store: Store, clock: ManualClock
) -> None:
    def note(key: str) -> None:
        store.writer.run(lambda write: note_happening(write, "started", key=key))

    for key in "abcd":
        note(key)
    first = happened(store)[0].id
    assert store.writer.run(partial(told_happenings, ids=[first])) == {first}
    assert store.writer.run(partial(told_happenings, ids=[first])) == set()
    assert store.writer.run(partial(prune_happenings, before=0, longest=2)) == 1
    assert [one.key for one in happened(store)] == ["c", "d"]
    clock.time += SECOND
    store.writer.run(partial(prune_happenings, before=clock.time, longest=100))
    assert happened(store) == []
