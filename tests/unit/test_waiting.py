"""A thread that must not wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from aggregator import waiting as module
from aggregator.waiting import Later, WouldWait, announce_to, but_here, waiting


@pytest.fixture
def _announced_to_nobody_after() -> Iterator[None]:
    yield
    announce_to(lambda: module._nothing)


@pytest.mark.usefixtures("_announced_to_nobody_after")
def test_who_must_not_wait_is_told_before_it_does_and_others_may() -> None:
    announce_to(but_here(nullcontext))
    with pytest.raises(WouldWait), waiting():
        pytest.fail("the block was entered")
    entered = []

    def elsewhere() -> None:
        with waiting():
            entered.append(True)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert entered == [True]


def test_who_deals_with_errors_lets_it_pass() -> None:
    assert not issubclass(WouldWait, Exception)


def test_what_is_answered_later_reads_like_an_answer_to_who_does_not_know() -> None:
    assert list(Later(lambda: [b"one", b"two"])) == [b"one", b"two"]
