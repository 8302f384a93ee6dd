"""Views that are current, and what they do while the store is away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from aggregator.errors import StoreUnavailable
from aggregator.view import current as current_module
from aggregator.view.current import CurrentView
from aggregator.view.group_view import GroupView
from aggregator.view.reader import GroupReader

from .view_fakes import FACTS, NOW, FakeStore, an_entry


class Clock:
    """Replaces the steady clock of the module."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        self.seconds += 1e-6
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(current_module, "time", clock)
    return clock


@pytest.fixture
def store() -> FakeStore:
    store = FakeStore()
    store.put(an_entry(1), "added")
    return store


def view_of(store: FakeStore) -> CurrentView:
    return CurrentView(GroupView(FACTS), ask=store.ask, now=lambda: NOW, stale_reads=60)


def test_shows_what_was_committed_before_the_call(store: FakeStore, clock: Clock) -> None:
    current = view_of(store)
    assert current.get().count(now=NOW) == 1
    store.put(an_entry(2), "added")
    assert current.get().count(now=NOW) == 2
    assert current.get().stale_since is None


def test_answers_without_the_store_for_a_while_and_says_so(store: FakeStore, clock: Clock) -> None:
    current = view_of(store)
    current.get()
    store.away = True
    clock.seconds += 10
    view = current.get()
    assert view.count(now=NOW) == 1
    assert view.stale_since == pytest.approx(NOW - 10_000_000, abs=1000)
    clock.seconds += 49
    assert current.get().count(now=NOW) == 1
    clock.seconds += 2
    with pytest.raises(StoreUnavailable, match="away"):
        current.get()
    store.away = False
    clock.seconds += 2
    store.put(an_entry(2), "added")
    assert current.get().count(now=NOW) == 2
    assert current.get().stale_since is None


def test_a_store_that_is_away_is_left_in_peace_for_a_moment(store: FakeStore, clock: Clock) -> None:
    current = view_of(store)
    current.get()
    store.away = True
    store.asked.clear()
    for _ in range(20):
        current.get()
    assert store.asked == ["changes_since"]
    clock.seconds += 1.1
    current.get()
    assert store.asked == ["changes_since"] * 2


def test_a_view_that_was_never_loaded_can_not_answer(store: FakeStore, clock: Clock) -> None:
    store.away = True
    with pytest.raises(StoreUnavailable):
        view_of(store).get()


def test_readers_that_wait_for_a_load_share_it(store: FakeStore) -> None:
    loading, go_on = threading.Event(), threading.Event()

    def slowly(use: Callable[[GroupReader], None]) -> None:
        loading.set()
        go_on.wait(10)
        store.ask(use)

    current = CurrentView(GroupView(FACTS), ask=slowly, now=lambda: NOW, stale_reads=60)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(current.get)
        loading.wait(10)
        others = [pool.submit(current.get) for _ in range(8)]
        go_on.set()
        counts = [future.result(10).count(now=NOW) for future in (first, *others)]
    assert counts == [1] * 9
    assert store.asked.count("load_group") == 1
