"""What waits is committed together, and nobody pays for what another one does wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from aggregator.errors import AddRefused, StoreUnavailable
from aggregator.store.engine import Store
from aggregator.store.entries import add_entry, count_entries
from aggregator.store.groups import sequences
from aggregator.store.reading import load_group
from aggregator.store.write import Write
from tests import stores
from tests.stores import PLAIN, log_of

store = stores.store

SOON = 20


@pytest.fixture(autouse=True)
def _no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine not cut short what a test wants in one transaction."""
    monkeypatch.setattr("aggregator.store.committer._BUDGET", SOON)


@pytest.fixture
def commits(store: Store) -> list[float]:
    """Grows by the instant of every commit."""
    seen: list[float] = []

    @event.listens_for(store.database.writing, "after_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement == "COMMIT":
            seen.append(time.monotonic())

    return seen


@contextmanager
def writer_held(store: Store) -> Iterator[None]:
    """Keep the writer busy, so that what is submitted in the block waits, and goes together."""
    began, release = threading.Event(), threading.Event()

    def hold(_: Write) -> None:
        began.set()
        assert release.wait(SOON)

    held = store.writer.submit(hold)
    assert began.wait(SOON)
    try:
        yield
    finally:
        release.set()
    held.result(SOON)


def adding(
    key: str, *, group_id: int = 1, then: Exception | None = None, runs: list[str] | None = None
) -> Callable[[Write], str]:
    """A unit that adds an entry under `key`, then fails with `then`, and notes its runs."""

    def unit(write: Write) -> str:
        if runs is not None:
            runs.append(key)
        add_entry(write, PLAIN, group_id=group_id, due=None, key=key)
        if then is not None:
            raise then
        return key

    return unit


def keys(store: Store, group_id: int = 1) -> list[str]:
    with store.read() as connection:
        return [entry.key for entry in load_group(connection, group_id)]


def test_what_waits_is_committed_together(store: Store, commits: list[float]) -> None:
    with writer_held(store):
        futures = [store.writer.submit(adding(f"k{number}")) for number in range(20)]
        before = len(commits)
    assert [future.result(SOON) for future in futures] == [f"k{n}" for n in range(20)]
    # One for what held the writer, one for the twenty.
    assert len(commits) - before == 2
    assert [change.sequence for change in log_of(store)] == list(range(1, 21))
    assert keys(store) == [f"k{number}" for number in range(20)]


def test_threads_get_their_own_results(store: Store) -> None:
    results: dict[str, str] = {}

    def work(name: str) -> None:
        for number in range(10):
            key = f"{name}{number}"
            results[key] = store.writer.run(adding(key))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    assert len(results) == 80
    assert all(key == result for key, result in results.items())
    assert sorted(keys(store)) == sorted(results)
    assert [change.sequence for change in log_of(store)] == list(range(1, 81))


def test_a_refusal_before_writing_costs_the_others_nothing(
    store: Store, commits: list[float]
) -> None:
    runs: list[str] = []

    def refused(write: Write) -> None:
        runs.append("refused")
        if count_entries(write, 1) == 1:
            raise AddRefused("full")

    with writer_held(store):
        first = store.writer.submit(adding("first", runs=runs))
        middle = store.writer.submit(refused)
        last = store.writer.submit(adding("last", runs=runs))
        before = len(commits)
    assert (first.result(SOON), last.result(SOON)) == ("first", "last")
    with pytest.raises(AddRefused, match="full"):
        middle.result(SOON)
    assert runs == ["first", "refused", "last"]
    assert len(commits) - before == 2


@pytest.mark.parametrize("error", [AddRefused("too late"), ValueError("a bug")])
def test_a_failure_after_writing_leaves_nothing_and_harms_nobody(
    store: Store, error: Exception
) -> None:
    with writer_held(store):
        futures: list[Future[Any]] = [
            store.writer.submit(adding("first")),
            store.writer.submit(adding("bad", then=error)),
            store.writer.submit(adding("last")),
        ]
    assert futures[0].result(SOON) == "first"
    assert futures[2].result(SOON) == "last"
    with pytest.raises(type(error), match=str(error)):
        futures[1].result(SOON)
    assert keys(store) == ["first", "last"]
    assert store.writer.run(lambda write: count_entries(write, 1)) == 2
    assert [change.sequence for change in log_of(store)] == [1, 2]


def test_who_waits_behind_a_failure_still_goes_together(store: Store, commits: list[float]) -> None:
    with writer_held(store):
        bad = store.writer.submit(adding("bad", then=ValueError("a bug")))
        futures = [store.writer.submit(adding(f"k{number}")) for number in range(9)]
        before = len(commits)
    assert isinstance(bad.exception(SOON), ValueError)
    assert [future.result(SOON) for future in futures] == [f"k{n}" for n in range(9)]
    assert len(commits) - before == 2


def test_what_the_database_refuses_is_told_to_who_asked_for_it(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with writer_held(store):
        futures = [
            store.writer.submit(adding("first")),
            store.writer.submit(adding("bad", group_id=77)),
            store.writer.submit(adding("last")),
        ]
    assert (futures[0].result(SOON), futures[2].result(SOON)) == ("first", "last")
    with pytest.raises(StoreUnavailable, match=r"(?i)foreign key"):
        futures[1].result(SOON)
    assert "The store refused what it was asked" in caplog.text
    assert keys(store) == ["first", "last"]


def test_who_gave_up_before_his_turn_changed_nothing(store: Store) -> None:
    runs: list[str] = []
    with writer_held(store), pytest.raises(StoreUnavailable, match="nothing changed"):
        store.writer.run(adding("late", runs=runs), timeout=0.05)
    store.writer.run(adding("next"))
    assert runs == []
    assert keys(store) == ["next"]


def test_who_gave_up_while_his_unit_ran_changed_nothing(store: Store) -> None:
    running, release = threading.Event(), threading.Event()

    def slow(write: Write) -> None:
        add_entry(write, PLAIN, group_id=1, due=None, key="slow")
        running.set()
        assert release.wait(SOON)

    told: list[str] = []

    def ask() -> None:
        try:
            store.writer.run(slow, timeout=1)
        except StoreUnavailable as error:
            told.append(str(error))

    with writer_held(store):
        before = store.writer.submit(adding("before"))
        asking = threading.Thread(target=ask)
        asking.start()
        while store.writer._queue.qsize() < 2:
            time.sleep(0.001)
    assert running.wait(SOON)
    asking.join(SOON)
    after = store.writer.submit(adding("after"))
    release.set()
    assert (before.result(SOON), after.result(SOON)) == ("before", "after")
    assert len(told) == 1
    assert "nothing changed" in told[0]
    assert keys(store) == ["before", "after"]


def test_a_cancelled_unit_does_not_run(store: Store) -> None:
    runs: list[str] = []
    with writer_held(store):
        future = store.writer.submit(adding("cancelled", runs=runs))
        assert future.cancel()
    with pytest.raises(CancelledError):
        future.result(SOON)
    store.writer.run(adding("next"))
    assert runs == []


def test_long_units_do_not_share_one_long_transaction(
    store: Store, commits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aggregator.store.committer._BUDGET", 0.02)

    def long(key: str) -> Callable[[Write], str]:
        def unit(write: Write) -> str:
            time.sleep(0.03)
            return adding(key)(write)

        return unit

    with writer_held(store):
        futures = [store.writer.submit(long(f"k{number}")) for number in range(4)]
        before = len(commits)
    assert [future.result(SOON) for future in futures] == ["k0", "k1", "k2", "k3"]
    assert len(commits) - before == 5
    assert keys(store) == ["k0", "k1", "k2", "k3"]


def test_every_group_has_its_own_sequence(store: Store) -> None:
    with writer_held(store):
        futures = [
            store.writer.submit(adding(f"k{number}", group_id=1 + number % 2))
            for number in range(6)
        ]
    for future in futures:
        future.result(SOON)
    assert store.query(sequences) == {1: 3, 2: 3}
    for group_id in (1, 2):
        assert [change.sequence for change in log_of(store, group_id)] == [1, 2, 3]


def test_a_closed_store_ends_what_it_was_given_and_takes_no_more(store: Store) -> None:
    with writer_held(store):
        future = store.writer.submit(adding("last"))
        closing = threading.Thread(target=store.writer.close)
        closing.start()
    closing.join(SOON)
    assert future.result(SOON) == "last"
    with pytest.raises(StoreUnavailable, match="closed"):
        store.writer.run(adding("more"))
    assert keys(store) == ["last"]
