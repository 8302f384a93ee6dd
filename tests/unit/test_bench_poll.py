"""What the benchmark of polling takes for right, and how it reads what a service counted."""

from __future__ import annotations

import math
import time

import pytest

from bench.freshness import Shown, asked, check_fresh
from bench.members import Served
from bench.metrics import at_most, since, total

SERVED = [Served(10.0, 1, "a"), Served(15.0, 1, "b"), Served(20.0, 1, "c")]


@pytest.mark.parametrize(("at", "mark"), [(18.5, "b"), (18.5, "c"), (20.5, "b"), (20.5, "c")])
def test_what_was_served_last_is_fresh_and_what_came_later_too(at: float, mark: str) -> None:
    check_fresh([Shown(at, 1, mark)], SERVED)


@pytest.mark.parametrize(("at", "mark"), [(18.5, "a"), (24.0, "b"), (24.0, ""), (24.0, "x")])
def test_what_is_older_or_strange_is_refused(at: float, mark: str) -> None:
    with pytest.raises(RuntimeError, match="1 of 2 are not"):
        check_fresh([Shown(18.5, 1, "b"), Shown(at, 1, mark)], SERVED)


def test_nothing_shown_proves_nothing() -> None:
    with pytest.raises(RuntimeError, match="0 of 0"):
        check_fresh([], SERVED)


def test_who_asks_tells_of_an_error() -> None:
    def fails(number: int) -> str:
        raise ValueError(number)

    with pytest.raises(ValueError, match="0"), asked(fails, 1, pause=0.0):
        time.sleep(0.1)


def test_counts_are_of_the_time_between() -> None:
    def counts(small: float, all_: float) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        return {
            ("h_bucket", frozenset({("le", "0.1")})): small,
            ("h_bucket", frozenset({("le", "0.5")})): all_ - 1,
            ("h_bucket", frozenset({("le", "+Inf")})): all_,
            ("c_total", frozenset({("source", "a"), ("outcome", "x")})): small,
            ("c_total", frozenset({("source", "b"), ("outcome", "x")})): all_,
        }

    found = since(counts(50, 60), counts(140, 160))
    assert total(found, "c_total") == 190
    assert total(found, "c_total", outcome="x", source="a") == 90
    assert total(found, "c_total", outcome="y") == 0
    assert at_most(found, "h", 0.90) == 0.1
    assert at_most(found, "h", 0.99) == 0.5
    assert at_most(since(counts(50, 60), counts(50, 300)), "h", 0.5) == 0.5
    assert at_most({}, "h", 0.5) == math.inf
