"""What collectors read and record: shards, leases, and only what differs is told."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from aggregator.model import ChangeKind, Health, Plan
from aggregator.store.changelog import prune_changes
from aggregator.store.collection import (
    Assignment,
    Outcome,
    load_assignment,
    load_assignments,
    record_outcomes,
)
from aggregator.store.engine import Store
from aggregator.store.entries import remove_entry
from aggregator.store.leases import take_shards
from aggregator.store.reading import changes_since, health, last_successes, load_entries
from tests import stores
from tests.stores import PLAIN, SECOND, ManualClock, added, log_of

store, clock = stores.store, stores.clock
ALL = range(64)
INTERVAL = 5 * SECOND  # that of PLAIN's plan


def take(store: Store, holder: str, shards: Any = ALL, *, ttl: float = 3) -> dict[int, int]:
    return store.writer.run(lambda write: take_shards(write, holder, shards, ttl))


def assigned(store: Store, entry: int) -> Assignment:
    found = store.query(lambda connection: load_assignment(connection, entry))
    assert found is not None
    return found


class Collector:
    """Records outcomes for one entry under a lease that it holds."""

    def __init__(self, store: Store, entry: int, holder: str = "me") -> None:
        self.store, self.entry, self.holder = store, entry, holder
        self.shard = assigned(store, entry).shard
        self.epoch = take(store, holder)[self.shard]

    def records(self, attempt: int, **fields: Any) -> int:
        """Record one outcome; how many were taken."""
        epoch = fields.pop("epoch", self.epoch)
        outcome = Outcome(self.entry, attempt, epoch, self.shard, **fields)
        return self.store.writer.run(
            lambda write: record_outcomes(write, [outcome], holder=self.holder)
        )

    @property
    def health(self) -> Health:
        """The entry's health as stored."""
        return self.store.query(lambda connection: health(connection, self.entry))

    def data(self) -> tuple[bytes, ...]:
        """The entry's data as stored."""
        return self.store.query(lambda connection: load_entries(connection, [self.entry]))[0].data

    def kinds(self) -> list[ChangeKind]:
        """What was told of the entry, without its being added."""
        return [change.kind for change in log_of(self.store)][1:]


@pytest.fixture
def collector(store: Store, clock: ManualClock) -> Collector:
    """A collector that holds all shards, and one entry."""
    return Collector(store, added(store).id)


def test_content_is_stored_and_told_once(collector: Collector, clock: ManualClock) -> None:
    start = clock.time
    assert collector.records(start, data=(b"<a/>", b"<b/>"), remember={"dialect": "gt4"}) == 1
    assert collector.data() == (b"<a/>", b"<b/>")
    assert collector.kinds() == ["content"]
    clock.time += INTERVAL
    assert collector.records(clock.time, data=(b"<a/>", b"<b/>")) == 1
    assert collector.kinds() == ["content"]
    assert collector.health == Health(last_attempt=clock.time, last_success=clock.time)
    assert collector.store.query(lambda c: last_successes(c, [collector.entry])) == {
        collector.entry: clock.time
    }
    clock.time += INTERVAL
    collector.records(clock.time, data=(b"<c/>",), remember={"cookie": "x"})
    assert collector.data() == (b"<c/>",)
    assert collector.kinds() == ["content", "content"]
    assert assigned(collector.store, collector.entry).memory == {"dialect": "gt4", "cookie": "x"}


def test_a_failure_keeps_the_data_and_counts(collector: Collector, clock: ManualClock) -> None:
    start = clock.time
    collector.records(start, data=(b"<a/>",))
    for number in (1, 2):
        clock.time = start + number * SECOND
        collector.records(clock.time, error=("timeout", "too slow"), skipped=number)
    assert collector.data() == (b"<a/>",)
    assert collector.health == Health(
        last_attempt=start + 2 * SECOND,
        last_success=start,
        consecutive_failures=2,
        error_code="timeout",
        error_message="too slow",
        since=start + SECOND,
        skipped_overruns=3,
    )
    assert collector.kinds() == ["content", "health", "health"]
    clock.time += SECOND
    collector.records(clock.time, data=(b"<a/>",))
    assert collector.kinds() == ["content", "health", "health", "health"]
    assert collector.health == Health(
        last_attempt=clock.time, last_success=clock.time, skipped_overruns=3
    )


def test_the_end_of_staleness_is_told_though_nothing_changed(
    collector: Collector, clock: ManualClock
) -> None:
    collector.records(clock.time, data=(b"<a/>",))
    # Data of exactly three intervals is not older than three intervals.
    clock.time += 3 * INTERVAL
    collector.records(clock.time, data=(b"<a/>",))
    assert collector.kinds() == ["content"]
    clock.time += 3 * INTERVAL + 1
    collector.records(clock.time, data=(b"<a/>",))
    assert collector.kinds() == ["content", "health"]


def test_versions_grow_with_what_is_published(collector: Collector, clock: ManualClock) -> None:
    def version() -> int:
        return collector.store.query(lambda c: load_entries(c, [collector.entry]))[0].version

    seen = [version()]
    for fields in ({"data": (b"<a/>",)}, {"data": (b"<a/>",)}, {"error": ("x", "y")}):
        clock.time += SECOND
        collector.records(clock.time, **fields)
        seen.append(version())
    assert [later - earlier for earlier, later in pairwise(seen)] == [1, 0, 1]


def test_what_began_before_what_is_stored_is_dropped(
    collector: Collector, clock: ManualClock
) -> None:
    collector.records(clock.time, data=(b"<new/>",))
    assert collector.records(clock.time - 1, data=(b"<old/>",)) == 0
    assert collector.data() == (b"<new/>",)
    assert collector.records(clock.time, data=(b"<same/>",)) == 1


def test_nothing_is_taken_without_the_lease_of_its_epoch(
    collector: Collector, clock: ManualClock
) -> None:
    assert collector.records(clock.time, data=(b"<a/>",), epoch=collector.epoch + 1) == 0
    # Another one takes over when the lease has run out; the first wakes and knows nothing of it.
    clock.time += 3 * SECOND
    other = Collector(collector.store, collector.entry, "other")
    assert other.epoch == collector.epoch + 1
    assert other.records(clock.time, data=(b"<new/>",)) == 1
    clock.time += SECOND
    assert collector.records(clock.time, data=(b"<old/>",)) == 0
    assert other.data() == (b"<new/>",)


def test_a_batch_is_recorded_in_order_of_its_attempts(store: Store, clock: ManualClock) -> None:
    first, second = added(store), added(store)
    gone = added(store)
    collectors = {entry.id: Collector(store, entry.id) for entry in (first, second, gone)}
    store.writer.run(lambda write: remove_entry(write, 1, gone.key))

    def outcome(entry: int, attempt: int, **fields: Any) -> Outcome:
        known = collectors[entry]
        return Outcome(entry, clock.time + attempt, known.epoch, known.shard, **fields)

    batch = [
        outcome(second.id, 2, error=("x", "later")),
        outcome(gone.id, 1, data=(b"<gone/>",)),
        outcome(first.id, 1, data=(b"<a/>",)),
        outcome(second.id, 1, data=(b"<b/>",)),
    ]
    assert store.writer.run(lambda write: record_outcomes(write, batch, holder="me")) == 3
    assert [(c.kind, c.entry) for c in log_of(store, after=4)] == [
        ("content", first.id),
        ("content", second.id),
    ]
    found = {one.id: one for one in store.query(lambda c: load_entries(c, list(collectors)))}
    assert found.keys() == {first.id, second.id}
    assert found[second.id].data == (b"<b/>",)
    assert found[second.id].health.error_message == "later"
    assert found[second.id].health.consecutive_failures == 1


def test_assignments_come_by_shard_in_pages(store: Store) -> None:
    wanted = {added(store, address=f"http://{n}/").id for n in range(30)}
    added(store, plan=None)

    def load(shards: Any, **limits: Any) -> list[Assignment]:
        with store.read() as connection:
            return load_assignments(connection, shards, **limits)

    everything = load(ALL)
    assert {one.id for one in everything} == wanted
    assert [one.id for one in everything] == sorted(wanted)
    by_shard: Mapping[int, list[int]] = {shard: [one.id for one in load([shard])] for shard in ALL}
    assert sorted(entry for found in by_shard.values() for entry in found) == sorted(wanted)
    assert all(one.id in by_shard[one.shard] for one in everything)
    assert len([found for found in by_shard.values() if found]) > 10
    ten = load(ALL, limit=10)
    assert ten == everything[:10]
    assert load(ALL, limit=10, after_id=ten[-1].id) == everything[10:20]
    assert {one.shard for one in load([0, 1], of=2)} == {0, 1}
    assert len(load([0, 1], of=2)) == 30


def test_an_assignment_tells_all_that_a_collection_needs(store: Store) -> None:
    assert PLAIN.plan is not None
    plans = {"archive": Plan("archive", 0, {"keep": 5})}
    entry = added(store, sink_plans=plans, termination=5 * SECOND)
    found = assigned(store, entry.id)
    assert found == Assignment(
        id=entry.id,
        group="A",
        group_id=1,
        key=entry.key,
        member=PLAIN.member,
        address=PLAIN.address,
        config=PLAIN.config,
        plan=PLAIN.plan,
        sink_plans=plans,
        memory={},
        shard=found.shard,
        termination=5 * SECOND,
        due=None,
        last_attempt=None,
        last_success=None,
        consecutive_failures=0,
        version=1,
    )
    assert store.query(lambda c: load_assignment(c, added(store, plan=None).id)) is None
    assert store.query(lambda c: load_assignment(c, 77)) is None


def test_the_log_is_pruned_by_age_and_its_readers_start_anew(
    store: Store, clock: ManualClock
) -> None:
    for _ in range(5):
        added(store)
        added(store, group_id=2)
        clock.time += SECOND
    old = clock.time - 2 * SECOND

    def prune(limit: int) -> int:
        return store.writer.run(lambda write: prune_changes(write, old, limit))

    def since(sequence: int) -> list[int] | None:
        found = store.query(lambda c: changes_since(c, 1, sequence))
        return found if found is None else [change.sequence for change in found]

    assert prune(2) == 4
    assert since(1) is None
    assert since(2) == [3, 4, 5]
    assert prune(10) == 2
    assert prune(10) == 0
    assert since(2) is None
    assert since(3) == [4, 5]
    assert since(5) == []
    added(store)
    assert since(5) == [6]


def test_an_unknown_group_has_no_log(store: Store) -> None:
    assert store.query(lambda c: changes_since(c, 77, 0)) is None
