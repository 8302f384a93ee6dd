"""Views that nobody reads are there when the store goes away."""

from __future__ import annotations

import pytest

from aggregator.errors import StoreUnavailable
from aggregator.view import current as current_module
from aggregator.view.current import CurrentView
from aggregator.view.group_view import GroupView
from aggregator.view.keeping import KeptViews

from .view_fakes import FACTS, NOW, FakeStore, an_entry


class Clock:
    """Replaces the steady clock of the views."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        self.seconds += 1e-6
        return self.seconds


class StandInViews:
    """Views by name, each on a store of its own."""

    def __init__(self, **stores: FakeStore) -> None:
        self.stores = stores
        self.views = {
            name: CurrentView(GroupView(FACTS), ask=store.ask, now=lambda: NOW, stale_reads=60)
            for name, store in stores.items()
        }

    def current(self, group: str) -> GroupView:
        return self.views[group].get()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(current_module, "time", clock)
    return clock


def kept_of(views: StandInViews, stale_reads: float = 60) -> KeptViews:
    return KeptViews(views, list(views.stores), stale_reads=stale_reads)  # type: ignore[arg-type]


def stored() -> FakeStore:
    store = FakeStore()
    store.put(an_entry(1), "added")
    return store


def test_a_view_that_nobody_read_answers_when_the_store_goes_away(clock: Clock) -> None:
    views = StandInViews(a=stored(), b=stored())
    assert kept_of(views).look()
    for store in views.stores.values():
        store.away = True
    assert [views.current(name).count(now=NOW) for name in "ab"] == [1, 1]


def test_a_view_that_nobody_reads_does_not_grow_too_old(clock: Clock) -> None:
    views = StandInViews(a=stored())
    kept = kept_of(views)
    looks = 0

    class Ended(Exception):
        pass

    def sleep(seconds: float) -> None:
        nonlocal looks
        looks += 1
        clock.seconds += seconds
        if clock.seconds > 2000:
            raise Ended

    with pytest.raises(Ended):
        kept.run(sleep)
    views.stores["a"].away = True
    clock.seconds += 45
    assert views.current("a").count(now=NOW) == 1
    assert looks == pytest.approx(100, abs=2), "a look each ten seconds"


def test_a_view_that_could_not_be_loaded_is_tried_again_soon(clock: Clock) -> None:
    views = StandInViews(a=stored(), b=stored())
    views.stores["a"].away = True
    kept = kept_of(views)
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.seconds += seconds + 1
        if len(slept) == 3:
            views.stores["a"].away = False
        if len(slept) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept.run(sleep)
    assert slept == [1, 1, 1, 10]
    views.stores["b"].away = True
    assert views.current("b").count(now=NOW) == 1, "the trouble of another kept it from nothing"


def test_a_view_that_breaks_is_told_and_keeps_no_other_from_being_ready(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    views = StandInViews(a=stored(), b=stored())

    def breaks(_: object) -> None:
        raise ValueError("odd")

    views.views["a"]._ask = breaks
    assert not kept_of(views).look()
    assert "the group a could not be kept ready" in caplog.text
    views.stores["b"].away = True
    assert views.current("b").count(now=NOW) == 1


def test_a_view_that_was_never_loaded_cannot_answer(clock: Clock) -> None:
    views = StandInViews(a=stored())
    views.stores["a"].away = True
    assert not kept_of(views).look()
    with pytest.raises(StoreUnavailable):
        views.current("a")
