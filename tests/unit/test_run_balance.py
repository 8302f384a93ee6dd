"""Who has more connections than its siblings."""

from __future__ import annotations

import os

import pytest

from aggregator.run.balance import Balance


def test_who_is_alone_is_never_ahead() -> None:
    seat = Balance().seat(5)
    seat.tell(1000)
    assert not seat.is_ahead


@pytest.mark.parametrize(
    ("mine", "other", "ahead"),
    [(0, 0, False), (1, 0, True), (1, 1, False), (5, 4, True), (108, 100, False), (120, 100, True)],
)
def test_who_has_clearly_more_than_another_is_ahead(mine: int, other: int, ahead: bool) -> None:
    balance = Balance()
    seat, sibling = balance.seat(1), balance.seat(2)
    seat.tell(mine)
    sibling.tell(other)
    assert seat.is_ahead is ahead


def test_who_has_left_counts_no_more_whatever_it_tells() -> None:
    balance = Balance()
    seat, sibling = balance.seat(1), balance.seat(2)
    seat.tell(3)
    sibling.tell(0)
    assert seat.is_ahead
    sibling.leave()
    sibling.tell(0)
    assert not seat.is_ahead


def test_a_seat_is_vacated_for_one_that_died_and_taken_by_the_next() -> None:
    balance = Balance()
    balance.seat(1).tell(0)
    seat = balance.seat(2)
    seat.tell(3)
    balance.seat(1).leave()
    assert not seat.is_ahead
    balance.seat(1).tell(0)
    assert seat.is_ahead


def test_a_forked_process_sees_and_is_seen() -> None:
    balance = Balance()
    mine = balance.seat(1)
    mine.tell(7)
    child = os.fork()
    if child == 0:
        sibling = balance.seat(2)
        sibling.tell(0)
        os._exit(sibling.is_ahead)
    assert os.waitpid(child, 0)[1] == 0
    assert mine.is_ahead
