"""Threads that wait keep none from working; threads that work are few."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from aggregator.run.pool import Pool
from tests.waiting import until


@pytest.fixture
def pool() -> Iterator[Pool]:
    made = Pool(working=2, most=6)
    made.start()
    yield made
    made.close()


def test_those_that_wait_make_room_for_others(pool: Pool) -> None:
    release, done = threading.Event(), threading.Event()

    def wait() -> None:
        with pool.waiting():
            release.wait(20)

    for _ in range(5):
        pool.submit(wait)
    pool.submit(done.set)
    assert done.wait(20)
    release.set()


def test_those_that_work_do_not(pool: Pool) -> None:
    release, done = threading.Event(), threading.Event()
    for _ in range(2):
        pool.submit(lambda: release.wait(20) and None)
    pool.submit(done.set)
    assert not done.wait(0.2)
    release.set()
    assert done.wait(20)


def test_there_are_never_more_than_the_most(pool: Pool) -> None:
    release = threading.Event()
    arrived: list[threading.Thread] = []

    def wait() -> None:
        with pool.waiting():
            arrived.append(threading.current_thread())
            release.wait(20)

    for _ in range(20):
        pool.submit(wait)
    until(lambda: len(arrived) == 6, what="six that wait")
    release.set()
    until(lambda: len(arrived) == 20, what="all twenty")
    assert len(set(arrived)) <= 6


def test_those_that_are_too_many_afterwards_end(pool: Pool) -> None:
    release = threading.Event()
    threads: list[threading.Thread] = []

    def wait() -> None:
        threads.append(threading.current_thread())
        with pool.waiting():
            release.wait(20)

    for _ in range(6):
        pool.submit(wait)
    until(lambda: len(threads) == 6)
    release.set()
    assert until(lambda: sum(one.is_alive() for one in threads) <= 4, what="fewer threads")


def test_it_tells_when_tasks_wait_for_a_thread(pool: Pool) -> None:
    release = threading.Event()
    assert not pool.is_behind
    for _ in range(8):
        pool.submit(lambda: release.wait(20) and None)
    assert pool.is_behind
    release.set()
    until(lambda: not pool.is_behind, what="all tasks in hand")
