"""What bench/run restart says of the spread of polls."""

from __future__ import annotations

import pytest

from bench.members import Served
from bench.spread import INTERVAL, MANY, spread_of

EVEN = [Served(100.0 + number * INTERVAL / MANY, number, "m") for number in range(MANY)]


def test_even_polls_have_no_busy_time_and_reach_all() -> None:
    found = spread_of(EVEN, 97.0)
    assert found.busiest == pytest.approx(1.0, abs=0.01)
    assert (found.first, found.polled) == (3.0, MANY)


def test_a_storm_is_seen() -> None:
    storm = [Served(100.1, number, "m") for number in range(MANY // 2)]
    assert spread_of([EVEN[0], *storm, *EVEN[MANY // 2 :]], 97.0).busiest == pytest.approx(
        5.0, abs=0.01
    )


def test_a_member_that_is_asked_only_later_is_missed() -> None:
    late = Served(100.0 + INTERVAL + 1, 7, "m")
    kept = [one for one in EVEN if one.number != 7]
    assert spread_of([*kept, late], 97.0).polled == MANY - 1
