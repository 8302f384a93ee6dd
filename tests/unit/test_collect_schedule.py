"""When entries are due, on a clock that is turned by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest

from aggregator.collect.schedule import Schedule, Scheduled, stable_offset
from aggregator.testing import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def schedule(clock: ManualClock) -> Schedule:
    return Schedule(clock.seconds)


def add(
    schedule: Schedule,
    clock: ManualClock,
    entry: int = 1,
    *,
    interval: int = 1000,
    at_once: bool = True,
    key: str = "",
) -> Scheduled:
    return schedule.add(
        entry,
        key=key or f"{entry:032x}",
        group="G",
        source="S",
        shard=0,
        interval=interval,
        instant=clock.now(),
        at_once=at_once,
    )


def run_for(schedule: Schedule, clock: ManualClock, seconds: float) -> list[float]:
    """When the only entry was due in so many seconds, each collection ending at once."""
    started = clock.seconds()
    found = []
    while clock.seconds() < started + seconds:
        for scheduled in schedule.due():
            found.append(round(clock.seconds() - started, 3))
            scheduled.busy = False
        clock.advance(0.01)
    return found


def test_a_new_entry_is_due_at_once_and_then_at_its_offset(
    schedule: Schedule, clock: ManualClock
) -> None:
    add(schedule, clock)
    times = run_for(schedule, clock, 5)
    assert times[0] == 0
    assert 0.5 <= times[1] <= 1.51
    steps = [later - before for before, later in pairwise(times[1:])]
    assert all(step == pytest.approx(1, abs=0.011) for step in steps)


def test_the_offset_is_the_same_after_a_restart(schedule: Schedule, clock: ManualClock) -> None:
    add(schedule, clock, interval=60_000)
    began = clock.seconds()
    before = began + run_for(schedule, clock, 130)[1]
    clock.advance(1234.567)
    other = Schedule(clock.seconds)
    add(other, clock, interval=60_000, at_once=False)
    began = clock.seconds()
    after = began + run_for(other, clock, 61)[0]
    assert abs((after - before + 30) % 60 - 30) < 0.03


def test_entries_of_one_interval_are_spread_over_it(schedule: Schedule, clock: ManualClock) -> None:
    for entry in range(1000):
        add(schedule, clock, entry, interval=10_000, at_once=False)
    counts = []
    for _ in range(10):
        clock.advance(1)
        counts.append(len(schedule.due()))
    assert sum(counts) == 1000
    assert 60 < min(counts) <= max(counts) < 140


def test_offsets_fill_the_whole_interval() -> None:
    interval = 2**31 * 1000
    offsets = [stable_offset(str(number), interval) for number in range(100)]
    assert all(0 <= offset < interval for offset in offsets)
    assert max(offsets) > 0.9 * interval


def test_a_busy_entry_is_passed_over_and_the_turns_are_counted(clock: ManualClock) -> None:
    told: list[int] = []
    schedule = Schedule(clock.seconds, on_skip=lambda scheduled, turns: told.append(turns))
    scheduled = add(schedule, clock, at_once=False)
    clock.advance(1)
    assert schedule.due() == [scheduled]
    for _ in range(3):
        clock.advance(1)
        assert schedule.due() == []
    assert scheduled.skipped == 3
    scheduled.busy = False
    clock.advance(1)
    assert schedule.due() == [scheduled]
    assert sum(told) == 3


def test_turns_that_passed_in_a_pause_of_the_process_are_made_up_for_once(
    schedule: Schedule, clock: ManualClock
) -> None:
    scheduled = add(schedule, clock, at_once=False)
    clock.advance(3600)
    assert schedule.due() == [scheduled]
    scheduled.busy = False
    assert schedule.due() == []
    clock.advance(1)
    assert schedule.due() == [scheduled]
    assert scheduled.skipped == 0


def test_a_removed_entry_is_never_due(schedule: Schedule, clock: ManualClock) -> None:
    add(schedule, clock, 1)
    stays = add(schedule, clock, 2)
    assert schedule.remove(1) is not None
    assert schedule.remove(1) is None
    assert schedule.due() == [stays]
    assert (1 in schedule, 2 in schedule, len(schedule)) == (False, True, 1)
    schedule.clear()
    clock.advance(10)
    assert schedule.due() == []
    assert schedule.next_deadline() is None


def test_the_heap_does_not_keep_what_was_removed(schedule: Schedule, clock: ManualClock) -> None:
    for entry in range(5000):
        add(schedule, clock, entry, interval=3_600_000, at_once=False)
    for entry in range(5000):
        schedule.remove(entry)
    assert len(schedule._heap) <= 1001


def test_the_next_deadline_is_the_earliest(schedule: Schedule, clock: ManualClock) -> None:
    add(schedule, clock, 1, interval=100_000, at_once=False)
    soon = add(schedule, clock, 2)
    assert schedule.next_deadline() == clock.seconds()
    schedule.remove(soon.entry)
    assert schedule.next_deadline() > clock.seconds()
