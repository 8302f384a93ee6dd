"""One registration: when it is renewed, when it is added again, and what it asks for."""

from __future__ import annotations

import pytest

from aggregator.errors import RemoteError, RemoteFault
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import GT4, OASIS
from tests.unit.registrant_fakes import SECOND, START, HandClock, MemoryGroup, registration

MINUTE = 60 * SECOND
DEAD = RemoteError("nobody there")


@pytest.fixture
def time() -> HandClock:
    return HandClock()


@pytest.fixture
def group(time: HandClock) -> MemoryGroup:
    return MemoryGroup(time)


def test_the_first_round_adds_for_twice_the_interval(group: MemoryGroup) -> None:
    kept = group.keep(registration(interval=60))
    kept.refresh()
    assert kept.last_round == "added"
    assert group.calls == ["Add"]
    assert group.asked == [START + 2 * MINUTE]


def test_the_first_add_asks_for_the_time_in_the_file(group: MemoryGroup, time: HandClock) -> None:
    kept = group.keep(registration(initial=START + 5 * MINUTE))
    kept.refresh()
    time.seconds = 400
    kept.refresh()
    assert kept.last_round == "added"
    assert group.asked == [START + 5 * MINUTE, START + 400 * SECOND + 2 * MINUTE]


def test_a_time_in_the_file_that_has_passed_gives_way_to_the_rule(group: MemoryGroup) -> None:
    group.keep(registration(initial=START - MINUTE)).refresh()
    assert group.asked == [START + 2 * MINUTE]


def test_a_renewal_goes_by_the_clock_of_the_entry(group: MemoryGroup, time: HandClock) -> None:
    group.ahead = 3000
    kept = group.keep(registration(initial=START + 6000 * SECOND))
    kept.refresh()
    time.seconds = 60
    kept.refresh()
    assert kept.last_round == "renewed"
    assert group.calls == ["Add", "CurrentTime", "SetTerminationTime"]
    assert group.asked[-1] == START + (3000 + 60) * SECOND + 2 * MINUTE


def test_without_current_time_our_clock_counts_and_it_is_asked_for_once(
    group: MemoryGroup, time: HandClock
) -> None:
    group.has_current_time = False
    kept = group.keep(registration())
    for time.seconds in (0, 60, 120):
        kept.refresh()
    assert kept.last_round == "renewed"
    assert group.calls.count("CurrentTime") == 1
    assert group.calls.count("Add") == 1
    assert group.asked[-1] == START + 120 * SECOND + 2 * MINUTE


@pytest.mark.parametrize("dialect", [GT4, OASIS], ids=lambda dialect: dialect.name)
def test_an_entry_that_is_gone_is_added_again_in_the_same_round(
    time: HandClock, dialect: object
) -> None:
    group = MemoryGroup(time, dialect=dialect)  # type: ignore[arg-type]
    kept = group.keep(registration())
    kept.refresh()
    first = kept.entry
    group.entries.clear()
    time.seconds = 60
    kept.refresh()
    assert kept.last_round == "added"
    assert kept.entry != first
    assert len(group.entries) == 1
    assert kept.failures == 0


def test_a_broken_connection_makes_no_second_entry(group: MemoryGroup, time: HandClock) -> None:
    kept = group.keep(registration())
    kept.refresh()
    group.broken = DEAD
    time.seconds = 60
    with pytest.raises(RemoteError, match="nobody there"):
        kept.refresh()
    group.broken = None
    kept.refresh()
    assert kept.last_round == "renewed"
    assert group.calls.count("Add") == 1


def test_an_entry_whose_time_has_run_out_is_added_again(
    group: MemoryGroup, time: HandClock
) -> None:
    kept = group.keep(registration())
    kept.refresh()
    group.broken = RemoteFault("some fault of its own")
    time.seconds = 119
    with pytest.raises(RemoteFault):
        kept.refresh()
    assert group.calls.count("Add") == 1
    time.seconds = 121
    with pytest.raises(RemoteFault):
        kept.refresh()
    assert group.calls.count("Add") == 2


def test_a_fault_of_a_service_in_trouble_is_no_sign_that_the_entry_has_no_clock(
    group: MemoryGroup, time: HandClock
) -> None:
    kept = group.keep(registration())
    kept.refresh()
    detail = ns.clark(ns.OASIS_R, "ResourceUnavailableFault")
    group.broken = RemoteFault("try again", detail=detail)
    time.seconds = 60
    with pytest.raises(RemoteFault):
        kept.refresh()
    group.broken = None
    kept.refresh()
    assert group.calls[-2:] == ["CurrentTime", "SetTerminationTime"]


def test_retries_double_with_jitter_and_never_exceed_the_interval(group: MemoryGroup) -> None:
    kept = group.keep(registration(interval=20))
    group.broken = DEAD
    longest, shortest = [], []
    for _ in range(8):
        with pytest.raises(RemoteError):
            kept.refresh()
        longest.append(kept.retry_after(jitter=lambda low, high: high))
        shortest.append(kept.retry_after(jitter=lambda low, high: low))
    assert longest == [1, 2, 4, 8, 16, 20, 20, 20]
    assert shortest == [one / 2 for one in longest]
    kept.failures = 10_000
    assert kept.retry_after(jitter=lambda low, high: high) == 20


def test_a_good_round_forgets_the_failures(group: MemoryGroup) -> None:
    kept = group.keep(registration())
    group.refuses = RemoteFault("full")
    with pytest.raises(RemoteFault):
        kept.refresh()
    group.refuses = None
    kept.refresh()
    assert kept.failures == 0
    assert kept.rounds == 2


def test_a_group_that_grants_little_is_asked_in_time(group: MemoryGroup) -> None:
    group.at_most = 30
    kept = group.keep(registration(interval=60))
    kept.refresh()
    assert kept.pause == 15
    group.at_most = None
    kept.refresh()
    assert kept.pause == 60


def test_a_reply_that_tells_no_lifetime_counts_as_granted(
    group: MemoryGroup, time: HandClock
) -> None:
    group.told = False
    kept = group.keep(registration(interval=60))
    kept.refresh()
    assert kept.pause == 60
    group.broken = RemoteFault("a fault")
    time.seconds = 119
    with pytest.raises(RemoteFault):
        kept.refresh()
    assert "Add" not in group.calls[1:]


def test_the_end_in_the_final_standard_is_destroy(group: MemoryGroup) -> None:
    kept = group.keep(registration())
    kept.refresh()
    kept.end()
    assert group.calls == ["Add", "Destroy"]
    assert not group.entries
    assert kept.entry is None


def test_the_end_in_the_drafts_is_a_lifetime_of_nothing(time: HandClock) -> None:
    group = MemoryGroup(time, dialect=GT4, ahead=-3000)
    kept = group.keep(registration(dialect=GT4))
    kept.refresh()
    kept.end()
    assert group.calls == ["Add", "CurrentTime", "SetTerminationTime"]
    assert group.asked[-1] == group.now()


def test_what_is_gone_already_needs_no_end(group: MemoryGroup) -> None:
    kept = group.keep(registration())
    kept.end()
    kept.refresh()
    group.entries.clear()
    kept.end()
    assert kept.entry is None
