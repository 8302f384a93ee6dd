"""The books of the chaos rounds find what they are there to find."""

from __future__ import annotations

import pytest

from tests.chaos import ledger as books
from tests.chaos.ledger import GONE, NEVER, Known, Ledger

A, B = "http://10.0.0.1/a", "http://10.0.0.1/b"
SECOND = 1_000_000


class Clock:
    """Microseconds that go on with each look."""

    def __init__(self) -> None:
        self.at = 0

    def __call__(self) -> int:
        self.at += 1
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(books, "now", made)
    return made


@pytest.fixture
def ledger(clock: Clock) -> Ledger:
    return Ledger()


def added(ledger: Ledger, until: float = NEVER, address: str = A) -> Known:
    known = ledger.open(address, "oasis")
    ledger.sending(known, until)
    ledger.acknowledged(known, until)
    return known


def look(ledger: Ledger, clock: Clock, *seen: str, seconds: float = 0) -> None:
    """A reply lists `seen`; it was asked for now and read after `seconds`."""
    began = clock()
    clock.at += int(seconds * SECOND)
    ledger.saw_group(seen, began, clock())


def kinds(ledger: Ledger) -> list[str]:
    return [what.partition(":")[0] for what in ledger.violations]


def test_what_was_acknowledged_and_is_listed_is_right(ledger: Ledger, clock: Clock) -> None:
    added(ledger)
    added(ledger, 5 * SECOND, B)
    look(ledger, clock, A, B)
    clock.at = 5 * SECOND
    look(ledger, clock, A)
    assert ledger.violations == []


def test_an_acknowledged_one_that_is_missing_is_lost(ledger: Ledger, clock: Clock) -> None:
    added(ledger)
    look(ledger, clock)
    assert kinds(ledger) == ["lost"]


def test_one_that_ended_and_is_listed_is_resurrected(ledger: Ledger, clock: Clock) -> None:
    known = added(ledger)
    ledger.sending(known, GONE)
    look(ledger, clock)
    look(ledger, clock, A)
    assert ledger.violations == [], "while Destroy is under way both may be"
    ledger.acknowledged(known, GONE)
    look(ledger, clock, A)
    assert kinds(ledger) == ["resurrected or served late"]


def test_an_expired_one_is_late_from_the_first_request_on(ledger: Ledger, clock: Clock) -> None:
    added(ledger, SECOND)
    clock.at = SECOND - 10
    look(ledger, clock, A, seconds=1)
    assert ledger.violations == [], "it was asked for while it lived"
    look(ledger, clock, A)
    assert kinds(ledger) == ["resurrected or served late"]


def test_a_renewal_that_is_not_kept_is_lost(ledger: Ledger, clock: Clock) -> None:
    known = added(ledger, SECOND)
    ledger.sending(known, NEVER)
    ledger.acknowledged(known, NEVER)
    clock.at = 2 * SECOND
    look(ledger, clock)
    assert kinds(ledger) == ["lost"]


def test_another_termination_time_than_the_acknowledged(ledger: Ledger, clock: Clock) -> None:
    known = added(ledger, 8 * SECOND)
    ledger.saw_one(known, 8 * SECOND, clock(), clock())
    ledger.saw_one(known, 9 * SECOND, clock(), clock())
    assert len(ledger.violations) == 1


@pytest.mark.parametrize("first", [True, False])
def test_what_was_in_doubt_stays_as_it_was_seen(ledger: Ledger, clock: Clock, first: bool) -> None:
    known = ledger.open(A, "oasis")
    ledger.sending(known, NEVER)
    ledger.unanswered(known)
    clock.at += 2 * SECOND
    seen, other = ((A,), ()) if first else ((), (A,))
    look(ledger, clock, *seen)
    assert (ledger.doubts, ledger.violations) == (1, [])
    look(ledger, clock, *other)
    assert len(ledger.violations) == 1


def test_a_refused_request_changes_nothing(ledger: Ledger, clock: Clock) -> None:
    known = added(ledger)
    ledger.sending(known, GONE)
    ledger.refused(known)
    look(ledger, clock)
    assert kinds(ledger) == ["lost"]


def test_strangers_and_doubles_are_told(ledger: Ledger, clock: Clock) -> None:
    added(ledger)
    look(ledger, clock, A, A, B)
    assert kinds(ledger) == ["listed more than once", "nobody added ['http"]
