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


class Mark:
    """The mark of a store, and how often the store was asked."""

    def __init__(self, store: FakeStore) -> None:
        self.number: int | None = 2
        self.asked = 0
        self._store = store

    def view(self, *, view: GroupView | None = None) -> CurrentView:
        def ask(use: Callable[[GroupReader], None]) -> None:
            self.asked += 1
            self._store.ask(use)

        return CurrentView(
            view or GroupView(FACTS),
            ask=ask,
            now=lambda: NOW,
            stale_reads=60,
            mark=lambda: self.number,
        )


def test_a_store_whose_mark_stays_is_not_asked_again(store: FakeStore, clock: Clock) -> None:
    mark = Mark(store)
    current = mark.view()
    assert current.ready() is None
    assert [current.get().count(now=NOW) for _ in range(3)] == [1, 1, 1]
    assert mark.asked == 1
    store.put(an_entry(2), "added")
    mark.number = 4
    assert current.ready() is None
    assert current.get().count(now=NOW) == 2
    assert current.ready() is current.get()
    assert mark.asked == 2


def test_while_somebody_writes_the_store_is_asked(store: FakeStore, clock: Clock) -> None:
    mark = Mark(store)
    current = mark.view()
    current.get()
    mark.number = None
    assert current.ready() is None
    current.get()
    current.get()
    assert mark.asked == 3


def test_a_mark_from_before_a_write_is_not_taken_for_the_one_after(
    store: FakeStore, clock: Clock
) -> None:
    """What is written while the view asks may have been missed by it."""
    mark = Mark(store)
    current = mark.view()
    current.get()
    mark.number = 4

    def meanwhile(use: Callable[[GroupReader], None]) -> None:
        store.ask(use)
        store.put(an_entry(2), "added")
        mark.number = 6

    current._ask = meanwhile
    assert current.get().count(now=NOW) == 1
    current._ask = store.ask
    assert current.get().count(now=NOW) == 2


def test_a_mark_is_not_believed_for_long(store: FakeStore, clock: Clock) -> None:
    mark = Mark(store)
    current = mark.view()
    current.get()
    store.away = True
    assert current.get().stale_since is None
    clock.seconds += 1.1
    assert current.get().stale_since is not None
    assert current.ready() is None


def test_data_that_may_be_stale_is_asked_for(
    store: FakeStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = Mark(store)
    view = GroupView(FACTS)
    current = mark.view(view=view)
    current.get()
    assert current.ready() is view
    monkeypatch.setattr(view, "may_be_stale", lambda now: now == NOW)
    assert current.ready() is None
