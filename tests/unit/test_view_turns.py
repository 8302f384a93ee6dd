"""Whose expression goes next, and which long one has to end."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from aggregator.errors import QueryFailed
from aggregator.view import turns as turns_module
from aggregator.view.timers import Timers
from aggregator.view.turns import Turns


@dataclass
class Asked:
    caller: str
    quick: bool = True


TURNS = Turns(most=3, most_long=1, most_waiting=6)


def asked(callers: str) -> list[Asked]:
    return [Asked(caller) for caller in callers]


def test_the_first_goes_first_where_nobody_runs() -> None:
    waiting = asked("aab")
    assert TURNS.next(waiting, []) is waiting[0]


def test_who_runs_less_goes_first() -> None:
    waiting = asked("aabc")
    assert TURNS.next(waiting, asked("a")) is waiting[2]
    assert TURNS.next(waiting, asked("ab")) is waiting[3]


def test_the_last_place_is_for_those_of_whom_nothing_runs() -> None:
    waiting = asked("aab")
    assert TURNS.next(waiting[:2], asked("a")) is waiting[0]
    assert TURNS.next(waiting[:2], asked("ac")) is None
    assert TURNS.next(waiting, asked("ac")) is waiting[2]
    assert Turns(most=1, most_long=1, most_waiting=2).next(waiting, []) is waiting[0]


def test_who_is_not_quick_holds_no_place() -> None:
    slow = [Asked(caller, quick=False) for caller in "abcd"]
    (waiting,) = asked("a")
    assert TURNS.next([waiting], [*slow, *asked("b")]) is waiting
    assert TURNS.may_go_on(slow)
    assert not TURNS.may_go_on([*slow, *slow])


def test_no_more_than_the_most_run() -> None:
    assert TURNS.next(asked("d"), asked("abc")) is None
    assert TURNS.next([], []) is None


def test_the_queue_has_an_end_for_one_and_for_all() -> None:
    TURNS.check_room(asked("aa"), "a")
    with pytest.raises(QueryFailed, match="3 of them yours"):
        TURNS.check_room(asked("aaa"), "a")
    TURNS.check_room(asked("aaa"), "b")
    TURNS.check_room(asked("aaabb"), "c")
    with pytest.raises(QueryFailed, match=r"6 expressions .*, 0 of them yours"):
        TURNS.check_room(asked("aaabbb"), "c")


def test_one_long_one_a_caller() -> None:
    TURNS.check_long("a", asked("b"))
    with pytest.raises(QueryFailed, match="only 1 at a time"):
        TURNS.check_long("a", asked("a"))


def test_long_ones_leave_one_place() -> None:
    with pytest.raises(QueryFailed, match="2 others"):
        TURNS.check_long("a", asked("bc"))
    Turns(most=1, most_long=1, most_waiting=2).check_long("a", [])


def test_timers_run_in_time_and_not_when_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = 100.0
    monkeypatch.setattr("aggregator.view.timers.time.monotonic", lambda: seconds)
    done: list[str] = []
    timers = Timers()
    assert timers.delay() is None
    timers.after(1, lambda: done.append("never")).cancel()
    timers.after(3, lambda: done.append("late"))
    timers.after(2, lambda: done.append("soon"))
    assert timers.delay() == 2
    timers.run()
    assert done == []
    seconds = 102.5
    timers.run()
    assert done == ["soon"]
    assert timers.delay() == 0.5
    seconds = 200
    timers.run()
    assert done == ["soon", "late"]
    assert timers.delay() is None
    assert turns_module.LONG > 0
