"""Very many entries of a view that expire together: others have their turn, and none is shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice

import pytest

from aggregator.view.group_view import STEP, GroupView
from aggregator.waiting import WouldWait, announce_to, but_here
from aggregator.wire.dialects import GT4

from .view_fakes import FACTS, NOW, FakeStore, an_entry

MANY = 8 * STEP
LASTING = MANY + 1


@pytest.fixture
def view() -> GroupView:
    store = FakeStore()
    for number in range(1, MANY + 1):
        store.put(an_entry(number, termination=NOW + 1), "added")
    store.put(an_entry(LASTING), "added")
    view = GroupView(FACTS)
    view.refresh(store, now=NOW)
    return view


@pytest.fixture
def front() -> Iterator[None]:
    """The present thread must not wait."""
    announce_to(but_here(nullcontext))
    yield
    announce_to(nullcontext)


def test_they_go_in_small_steps(view: GroupView) -> None:
    changed = view.watch()
    changed.clear()
    sizes = []
    for _ in view.expiring(NOW + 1):
        sizes.append(len(changed))
        changed.clear()
    assert len(sizes) == MANY // STEP - 1
    assert max(sizes) <= STEP
    assert view.count(now=NOW) == 1


@pytest.mark.usefixtures("front")
def test_a_thread_that_must_not_wait_leaves_them_to_another(view: GroupView) -> None:
    for ask in (lambda: view.count(now=NOW + 1), lambda: view.entries(GT4, now=NOW + 1)):
        with pytest.raises(WouldWait):
            ask()
    # Those of a few it takes out itself, and what has not expired costs nothing.
    assert view.entry(an_entry(LASTING).key, now=NOW + 1) is not None
    assert view.entry(an_entry(1).key, now=NOW + 1) is None
    counts: list[int] = []
    other = threading.Thread(target=lambda: counts.append(view.count(now=NOW + 1)))
    other.start()
    other.join()
    assert counts == [1]
    assert view.count(now=NOW + 1) == 1


def test_who_asks_in_the_midst_of_a_step_waits_for_its_end(
    view: GroupView, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on = threading.Event(), threading.Event()
    tell = GroupView._tell

    def slow_tell(self: GroupView, changed: set[int]) -> None:
        reached.set()
        assert go_on.wait(5)
        tell(self, changed)

    list(islice(view.expiring(NOW + 1), MANY // STEP - 1))
    watcher = view.watch()
    monkeypatch.setattr(GroupView, "_tell", slow_tell)
    first = threading.Thread(target=view.expire, args=(NOW + 1,))
    first.start()
    assert reached.wait(5)
    watcher.clear()
    second = threading.Thread(target=view.expire, args=(NOW + 1,))
    second.start()
    second.join(0.1)
    waited = second.is_alive()
    go_on.set()
    first.join()
    second.join()
    assert waited
    assert len(watcher) == STEP


def test_nobody_is_shown_one_while_they_go(view: GroupView) -> None:
    seen: list[int] = []
    began = threading.Barrier(5)

    def ask() -> None:
        began.wait()
        for _ in range(20):
            seen.append(b"".join(view.entries(GT4, now=NOW + 1)).count(b"w:bar"))

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 100
