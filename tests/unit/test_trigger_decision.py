"""When a rule fires, over a simulated day and at its edges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from aggregator.store.rule_states import RuleState
from aggregator.triggers.decision import decide, fall_due
from aggregator.wire.times import SECOND
from aggregator.wire.trigger_rules import TriggerRule

DAY = 86_400
START = 1_767_225_600


def rule(**given: object) -> TriggerRule:
    return TriggerRule("true()", "log", **given)  # type: ignore[arg-type]


def run(
    of: TriggerRule, ticks: Iterator[int] | list[int], holds: Callable[[int], bool]
) -> list[tuple[int, str]]:
    """What happens at ticks, in seconds from the start; the clock's own firings among them."""
    state, told = RuleState(), []
    for tick in ticks:
        now = (START + tick) * SECOND
        if state.due is not None and state.due <= now:
            state, verdict = fall_due(of, state, now=state.due)
            if verdict:
                told.append(((state.fired_at or 0) // SECOND - START, verdict))
        state, verdict = decide(of, state, holds=holds(tick), now=now)
        if verdict:
            told.append((tick, verdict))
    return told


def test_without_intervals_a_rule_fires_at_every_collection_in_which_it_holds() -> None:
    told = run(rule(), list(range(0, DAY, 60)), lambda tick: True)
    assert told == [(tick, "fired") for tick in range(0, DAY, 60)]


@pytest.mark.parametrize("interval", [30, 60, 90, 600, 3600])
def test_a_day_holds_as_many_firings_as_the_interval_allows(interval: int) -> None:
    told = run(rule(minimum_firing_interval=interval), list(range(0, DAY, 60)), lambda tick: True)
    # The collections are a minute apart, and the first that is late enough fires.
    assert [at for at, _ in told] == list(range(0, DAY, -(-interval // 60) * 60))


@pytest.mark.parametrize("interval", [1, 59, 61, 119, 121, 601])
def test_two_firings_are_never_closer_than_the_interval(interval: int) -> None:
    told = run(rule(minimum_firing_interval=interval), list(range(0, DAY, 60)), lambda tick: True)
    times = [at for at, _ in told]
    assert all(later - at >= interval for at, later in pairwise(times))
    assert len(times) >= DAY // (interval + 60)


def test_a_poll_that_jitters_does_not_fire_a_rule_of_a_minute_at_every_other_one() -> None:
    ticks = [minute * 60 - minute % 2 for minute in range(60 * 24)]
    told = run(rule(minimum_firing_interval=60), ticks, lambda tick: True)
    assert len(told) >= 60 * 24 - 13


def test_a_rule_must_have_held_for_its_match_time() -> None:
    told = run(
        rule(minimum_match_time=180), list(range(0, 1200, 60)), lambda tick: 120 <= tick < 600
    )
    assert told[0] == (300, "fired")
    assert [at for at, verdict in told if verdict == "fired"] == [300, 360, 420, 480, 540]
    assert told[-1] == (600, "recovered")


def test_a_rule_that_ceases_before_its_match_time_never_fires_and_never_recovers() -> None:
    told = run(rule(minimum_match_time=180), list(range(0, DAY, 60)), lambda tick: tick % 180 < 120)
    assert told == []


def test_the_end_of_an_alert_is_told_once() -> None:
    told = run(
        rule(minimum_firing_interval=DAY), list(range(0, 600, 60)), lambda tick: tick in (60, 120)
    )
    assert told == [(60, "fired"), (180, "recovered")]


def test_what_holds_again_within_the_interval_neither_fires_nor_recovers() -> None:
    told = run(
        rule(minimum_firing_interval=600),
        list(range(0, 1300, 60)),
        lambda tick: tick in (0, 120, 240, 660),
    )
    assert told == [(0, "fired"), (60, "recovered"), (660, "fired"), (720, "recovered")]


def test_it_never_fires_in_a_range_of_invalidity_and_does_after_it() -> None:
    window = ((START + 100) * SECOND, (START + 400) * SECOND)
    told = run(
        rule(minimum_firing_interval=3600, invalid=(window,)),
        list(range(120, 1000, 60)),
        lambda tick: True,
    )
    assert told == [(420, "fired")]


def test_start_and_end_bound_when_it_may_fire() -> None:
    bounds = {"start": (START + 300) * SECOND, "end": (START + 480) * SECOND}
    told = run(rule(**bounds), list(range(0, 1000, 60)), lambda tick: True)
    assert [at for at, _ in told] == [300, 360, 420]


def test_data_that_was_pushed_stays_so_the_clock_fires_once_the_match_time_is_over() -> None:
    waiting = rule(minimum_match_time=300)
    now = START * SECOND
    state, verdict = decide(waiting, RuleState(), holds=True, now=now, pushed=True)
    assert (verdict, state.due) == ("", now + 300 * SECOND)
    assert fall_due(waiting, state, now=now + 299 * SECOND) == (state, "")
    fired, verdict = fall_due(waiting, state, now=now + 300 * SECOND)
    assert verdict == "fired"
    assert fired.due is None
    again, verdict = fall_due(waiting, fired, now=now + 900 * SECOND)
    assert (again, verdict) == (fired, "")


def test_pushed_data_that_ends_it_ends_the_wait() -> None:
    waiting = rule(minimum_match_time=300)
    now = START * SECOND
    state, _ = decide(waiting, RuleState(), holds=True, now=now, pushed=True)
    state, verdict = decide(waiting, state, holds=False, now=now + SECOND, pushed=True)
    assert (verdict, state.due, state.true_since) == ("", None, None)


def test_a_wait_that_ends_in_a_range_of_invalidity_goes_on_to_the_end_of_it() -> None:
    now = START * SECOND
    waiting = rule(minimum_match_time=300, invalid=((now + 250 * SECOND, now + 1000 * SECOND),))
    state, _ = decide(waiting, RuleState(), holds=True, now=now, pushed=True)
    assert state.due == now + 1000 * SECOND
    assert fall_due(waiting, state, now=now + 1000 * SECOND)[1] == "fired"


def test_a_clock_that_is_heard_late_does_not_push_firings_away_from_the_collections() -> None:
    of, state, fired = rule(minimum_firing_interval=60), RuleState(), 0
    for tick in range(0, DAY, 60):
        # Collections come up to 0.2 s late, and the clock is heard up to half a second late.
        now = (START + tick) * SECOND + tick // 60 * 70_000 % 200_000
        if state.due is not None:
            state, verdict = fall_due(of, state, now=state.due + 400_000)
            fired += verdict == "fired"
        state, verdict = decide(of, state, holds=True, now=now)
        fired += verdict == "fired"
    assert fired >= DAY // 60 - 1
