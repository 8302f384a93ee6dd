"""What is to be told: to whom, and that none of it is told twice or held against anybody."""

from __future__ import annotations

from functools import partial

import pytest

from aggregator.errors import ResourceUnknown
from aggregator.store.engine import Store
from aggregator.store.entries import remove_entry
from aggregator.store.outbox import notices_after, prune_notices
from aggregator.store.progress import Progress, note_progress
from aggregator.store.subscriptions import (
    Subscription,
    pause_subscription,
    resume_subscription,
    subscriptions_of,
)
from aggregator.store.write import Write
from tests import stores
from tests.stores import added, subscribe

store = stores.store


def only(store: Store) -> Subscription:
    (found,) = store.query(partial(subscriptions_of, group_id=1))
    return found


def kinds(store: Store) -> list[str]:
    ask = partial(notices_after, group_id=1, sequence=0, group="A", most=100)
    return [told.kind for told in store.query(ask)]


def prune(store: Store, *, longest: int, ends: bool) -> tuple[int, list[int]]:
    return store.writer.run(
        partial(prune_notices, group_id=1, before=0, longest=longest, ends=ends)
    )


def test_the_first_who_subscribes_is_told_nothing_of_the_same_transaction(store: Store) -> None:
    """A removal could not be told by then: nobody kept what the entry was like."""
    entry = added(store)

    def both(write: Write) -> None:
        remove_entry(write, 1, entry.key)
        subscribe(write)

    store.writer.run(both)
    assert kinds(store) == []
    added(store)
    assert kinds(store) == ["added"]
    assert only(store).sent == 2


def test_nobody_subscribes_to_an_entry_that_has_ended_meanwhile(store: Store) -> None:
    entry = added(store)
    store.writer.run(lambda write: remove_entry(write, 1, entry.key))
    with pytest.raises(ResourceUnknown, match="has ended"):
        store.writer.run(partial(subscribe, entry=(entry.id, entry.key)))
    assert store.query(partial(subscriptions_of, group_id=1)) == []


def test_a_page_of_large_entries_is_a_short_one(store: Store) -> None:
    store.writer.run(subscribe)
    for size in (100_000, 500, 400_000, 100_000):
        added(store, config=b"<c>" + b"x" * size + b"</c>")

    def page(after: int) -> list[int]:
        ask = partial(notices_after, group_id=1, sequence=after, group="A", most=9, room=200_000)
        return [told.sequence for told in store.query(ask)]

    assert [page(after) for after in range(5)] == [[1, 2], [2], [3], [4], []]


def test_progress_is_never_taken_back(store: Store) -> None:
    store.writer.run(subscribe)
    found = only(store)
    for sent in (7, 5):
        progress = [Progress(found.id, sent, dropped=1)]
        store.writer.run(partial(note_progress, all_of_them=progress))
    assert (only(store).sent, only(store).dropped) == (7, 2)


def test_resuming_twice_skips_nothing_more(store: Store) -> None:
    store.writer.run(subscribe)
    store.writer.run(lambda write: pause_subscription(write, only(store)))
    paused = only(store)
    added(store)
    for _ in range(2):
        store.writer.run(partial(resume_subscription, found=paused))
        # What comes after the first of the two is told.
        found = only(store)
        assert (found.paused, found.skip_after, found.skip_to) == (0, 0, 1)
        added(store)


def test_who_was_paused_has_not_stayed_away(store: Store) -> None:
    store.writer.run(subscribe)
    store.writer.run(lambda write: pause_subscription(write, only(store)))
    for _ in range(5):
        added(store)
    assert prune(store, longest=2, ends=True) == (3, [])
    store.writer.run(lambda write: resume_subscription(write, only(store)))
    assert prune(store, longest=2, ends=True) == (3, [])
    for _ in range(5):
        added(store)
    floor, late = prune(store, longest=2, ends=True)
    assert (floor, late) == (8, [1])
    assert store.query(partial(subscriptions_of, group_id=1)) == []
    added(store)
    assert kinds(store) == []
