"""RegistrationCount follows MDS4's rule, whichever processes count."""

from __future__ import annotations

from math import exp

import pytest

from aggregator.errors import AddRefused
from aggregator.store.accumulators import DECAYS, Accumulator, accumulate, read_accumulator
from aggregator.store.engine import Store
from aggregator.store.processes import end_process, heartbeat, start_process
from aggregator.store.write import Write
from tests import stores
from tests.integration.store_process import started
from tests.stores import SECOND, ManualClock

store, clock = stores.store, stores.clock


class Rule:
    """The rule as it is written down: one accumulator, recalculated at every event and read."""

    def __init__(self, now: int) -> None:
        self.rates, self.total, self.calculated = [0.0, 0.0, 0.0], 0, now

    def accumulate(self, n: int, now: int) -> None:
        """Count `n` events; a read is the counting of none."""
        seconds = (now - self.calculated) / SECOND
        for place, decay in enumerate(DECAYS):
            weight, keep = 1 - exp(-1 / decay), exp(-seconds / decay)
            self.rates[place] = self.rates[place] * keep + n * weight
        self.total += n
        self.calculated = now


def count(store: Store, process: str, n: int = 1, *, group_id: int = 1) -> None:
    store.writer.run(lambda write: accumulate(write, group_id, process, n))


def read(store: Store, now: int, group_id: int = 1) -> Accumulator:
    return store.query(lambda connection: read_accumulator(connection, group_id, now))


def test_processes_together_count_as_one_would(store: Store, clock: ManualClock) -> None:
    rule = Rule(clock.time)
    for number in range(40):
        clock.time += number * number * 10_000
        count(store, f"process {number % 3}", 1 + number % 2)
        rule.accumulate(1 + number % 2, clock.time)
        if number % 7 == 0:
            rule.accumulate(0, clock.time)
            found = read(store, clock.time)
            assert [rate for rate, _ in found.rates] == pytest.approx(rule.rates)
    last_change = clock.time
    clock.time += 90 * SECOND
    rule.accumulate(0, clock.time)
    found = read(store, clock.time)
    assert found.total == rule.total == 60
    assert found.last_change == last_change
    assert [decay for _, decay in found.rates] == [60, 3600, 86400]
    assert [rate for rate, _ in found.rates] == pytest.approx(rule.rates)
    assert read(store, clock.time, 2).total == 0


def test_many_of_one_commit_count_as_many(store: Store, clock: ManualClock) -> None:
    def unit(write: Write) -> None:
        for group_id in (1, 2, 1):
            accumulate(write, group_id, "me", 1)

    store.writer.run(unit)
    assert (read(store, clock.time).total, read(store, clock.time, 2).total) == (2, 1)


def test_a_refused_unit_counts_nothing(store: Store) -> None:
    def unit(write: Write) -> None:
        accumulate(write, 1, "me", 1)
        raise AddRefused("no")

    with pytest.raises(AddRefused):
        store.writer.run(unit)
    assert read(store, store.clock.now()).total == 0


def test_without_events_the_last_change_is_the_start(store: Store, clock: ManualClock) -> None:
    store.writer.run(lambda write: start_process(write, "first", "web"))
    began = clock.time
    clock.time += SECOND
    found = read(store, clock.time)
    assert found == Accumulator(began, began, 0, ((0.0, 60), (0.0, 3600), (0.0, 86400)))


def test_the_count_outlives_its_processes_until_all_are_down(
    store: Store, clock: ManualClock
) -> None:
    def enter(process: str) -> None:
        store.writer.run(lambda write: start_process(write, process, "web"))

    def leave(process: str) -> None:
        store.writer.run(lambda write: end_process(write, process))

    began = clock.time
    enter("a")
    enter("b")
    count(store, "a", 3)
    count(store, "b", 4)
    before = read(store, clock.time)
    clock.time += SECOND
    leave("a")
    enter("c")
    count(store, "c", 1)
    found = read(store, clock.time)
    assert (found.start, found.total, found.last_change) == (began, 8, clock.time)
    assert found.rates[2][0] > before.rates[2][0]
    leave("b")
    leave("c")
    leave("c")
    assert read(store, clock.time).total == 8
    clock.time += SECOND
    enter("d")
    assert read(store, clock.time) == Accumulator(
        clock.time, clock.time, 0, ((0.0, 60), (0.0, 3600), (0.0, 86400))
    )


def test_a_killed_process_of_this_host_is_known_to_be_dead_at_once(
    store: Store, database_url: str, clock: ManualClock
) -> None:
    other = started("enter", database_url, "unused", "other")
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "entered\n"
        count(store, "other", 5)
        store.writer.run(lambda write: start_process(write, "me", "web"))
        assert read(store, clock.time).total == 5
        store.writer.run(lambda write: end_process(write, "me"))
        assert read(store, clock.time).total == 5
    finally:
        other.kill()
        other.communicate(timeout=20)
    store.writer.run(lambda write: start_process(write, "again", "web"))
    assert read(store, clock.time).total == 0


def test_a_process_of_another_host_is_dead_when_it_fell_silent(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere() -> None:
        with monkeypatch.context() as patch:
            patch.setattr("aggregator.store.processes._boot", lambda: "another host")
            store.writer.run(lambda write: heartbeat(write, "far", "web"))

    elsewhere()
    count(store, "far", 2)
    clock.time += 14 * SECOND
    elsewhere()
    clock.time += 14 * SECOND
    store.writer.run(lambda write: start_process(write, "me", "web"))
    assert read(store, clock.time).total == 2
    store.writer.run(lambda write: end_process(write, "me"))
    clock.time += 2 * SECOND
    store.writer.run(lambda write: start_process(write, "again", "web"))
    assert read(store, clock.time).total == 0
