"""A group's view: changes, expiry, staleness, order."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from aggregator.errors import StoreUnavailable
from aggregator.model import Health
from aggregator.view.chunks import SIZE
from aggregator.view.fragments import entry_fragment, publish
from aggregator.view.group_view import GroupView
from aggregator.wire.dialects import GT4, OASIS
from aggregator.wire.parse import parse

from .view_fakes import FACTS, NOW, SECOND, FakeStore, an_entry


def ids(view: GroupView, *, now: int = NOW) -> list[int]:
    """The ids that a reply shows, read back from its bytes."""
    fragments = view.entries(GT4, now=now)
    joined = b"".join(fragments)
    assert fragments.size == len(joined)
    root = parse(b"<r>" + joined + b"</r>") if joined else []
    return [int(entry[0][1][0][1].text, 16) for entry in root]


@pytest.fixture
def store() -> FakeStore:
    store = FakeStore()
    for i in range(1, 6):
        store.put(an_entry(i), "added")
    return store


@pytest.fixture
def view(store: FakeStore) -> GroupView:
    view = GroupView(FACTS)
    view.refresh(store, now=NOW)
    return view


def test_loads_all_entries_in_order_of_registration(view: GroupView) -> None:
    assert ids(view) == [1, 2, 3, 4, 5]
    assert view.sequence == 5
    assert view.count(now=NOW) == 5


def test_nothing_new_costs_one_question(view: GroupView, store: FakeStore) -> None:
    store.asked.clear()
    view.refresh(store, now=NOW)
    assert store.asked == ["changes_since"]


def test_takes_in_additions_changes_and_removals(view: GroupView, store: FakeStore) -> None:
    store.put(an_entry(6), "added")
    store.put(an_entry(2, data=(b"<new/>",)))
    store.remove(3)
    store.asked.clear()
    view.refresh(store, now=NOW)
    assert ids(view) == [1, 2, 4, 5, 6]
    assert b"<new/>" in b"".join(view.entries(OASIS, now=NOW))
    assert view.sequence == 8
    assert "load_group" not in store.asked


def test_an_entry_added_and_removed_since_is_not_shown(view: GroupView, store: FakeStore) -> None:
    store.put(an_entry(6), "added")
    store.remove(6)
    view.refresh(store, now=NOW)
    assert ids(view) == [1, 2, 3, 4, 5]


def test_a_change_listed_before_its_entry_went_is_a_removal(
    view: GroupView, store: FakeStore
) -> None:
    store.note(2, "content")
    del store.entries[2]
    view.refresh(store, now=NOW)
    assert ids(view) == [1, 3, 4, 5]


def test_starts_anew_when_the_log_was_pruned(view: GroupView, store: FakeStore) -> None:
    changed = view.watch()
    changed.clear()
    store.put(an_entry(9), "added")
    store.remove(1)
    store.pruned_to = len(store.log) - 1
    view.refresh(store, now=NOW)
    assert ids(view) == [2, 3, 4, 5, 9]
    assert view.sequence == len(store.log)
    assert {1, 9} <= changed


def test_a_change_voids_one_chunk_alone(store: FakeStore) -> None:
    for i in range(6, 10 * SIZE):
        store.put(an_entry(i), "added")
    view = GroupView(FACTS)
    view.refresh(store, now=NOW)
    before = list(view.entries(GT4, now=NOW))
    store.put(an_entry(300, data=(b"<new/>",)))
    view.refresh(store, now=NOW)
    after = list(view.entries(GT4, now=NOW))
    assert sum(a is not b for a, b in zip(before, after, strict=True)) == 1


def test_a_renewal_voids_nothing_and_moves_the_deadline(view: GroupView, store: FakeStore) -> None:
    store.put(an_entry(2, termination=NOW + 10), "renewed")
    view.refresh(store, now=NOW)
    before = list(view.entries(GT4, now=NOW))
    store.put(an_entry(2, termination=NOW + 20), "renewed")
    view.refresh(store, now=NOW)
    assert all(a is b for a, b in zip(before, view.entries(GT4, now=NOW), strict=True))
    assert ids(view, now=NOW + 15) == [1, 2, 3, 4, 5]
    assert ids(view, now=NOW + 20) == [1, 3, 4, 5]


def test_expired_entries_are_not_shown_though_the_store_still_has_them(
    view: GroupView, store: FakeStore
) -> None:
    store.put(an_entry(4, termination=NOW + 10), "renewed")
    view.refresh(store, now=NOW)
    entry = view.entry(an_entry(4).key, now=NOW + 9)
    assert entry is not None
    assert entry.id == 4
    assert view.entry(an_entry(4).key, now=NOW + 10) is None
    assert ids(view, now=NOW + 9) == [1, 2, 3, 4, 5]
    assert ids(view, now=NOW + 10) == [1, 2, 3, 5]
    assert view.count(now=NOW + 10) == 4


def test_an_expired_entry_in_a_load_is_not_shown(store: FakeStore) -> None:
    store.entries[1] = an_entry(1, termination=NOW - 1)
    view = GroupView(FACTS)
    view.refresh(store, now=NOW)
    assert ids(view) == [2, 3, 4, 5]


def test_a_reader_is_not_disturbed_by_later_changes(view: GroupView, store: FakeStore) -> None:
    fragments = view.entries(GT4, now=NOW)
    store.remove(1)
    store.put(an_entry(2, data=(b"<much-longer-than-before/>",)))
    view.refresh(store, now=NOW)
    assert len(b"".join(fragments)) == fragments.size


def test_old_data_is_shown_as_stale_only_after_asking(view: GroupView, store: FakeStore) -> None:
    late = NOW + 120 * SECOND
    for i in (1, 2, 3, 4):
        polled = Health(last_attempt=late, last_success=late - SECOND)
        store.entries[i] = an_entry(i, health=polled)
    store.asked.clear()
    view.refresh(store, now=late)
    assert store.asked == ["changes_since", "last_successes"]
    joined = b"".join(view.entries(GT4, now=late))
    assert joined.count(b"<h:code>stale</h:code>") == 1
    assert b"stale" in entry_fragment(view.entry_by_id(5), view.frame(GT4))
    view.refresh(store, now=late + SECOND)
    assert store.asked[2:] == ["changes_since"]
    view.refresh(store, now=late + 119 * SECOND)
    assert b"".join(view.entries(GT4, now=late)).count(b"<h:code>stale</h:code>") == 5


def test_a_stale_entry_recovers_with_its_change(view: GroupView, store: FakeStore) -> None:
    late = NOW + 120 * SECOND
    view.refresh(store, now=late)
    store.put(an_entry(1, health=Health(late, late)), "health")
    view.refresh(store, now=late)
    assert b"".join(view.entries(GT4, now=late)).count(b"<h:code>stale</h:code>") == 4


def test_a_renewal_of_a_stale_entry_leaves_it_stale(view: GroupView, store: FakeStore) -> None:
    late = NOW + 120 * SECOND
    view.refresh(store, now=late)
    store.put(an_entry(1, termination=late + SECOND), "renewed")
    view.refresh(store, now=late)
    assert b"".join(view.entries(GT4, now=late)).count(b"<h:code>stale</h:code>") == 5


def test_staleness_is_asked_again_when_the_store_was_away(
    view: GroupView, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = NOW + 120 * SECOND
    with monkeypatch.context() as patch:
        patch.setattr(store, "last_successes", _away)
        with pytest.raises(StoreUnavailable):
            view.refresh(store, now=late)
    assert b"stale" not in b"".join(view.entries(GT4, now=late))
    view.refresh(store, now=late)
    assert b"stale" in b"".join(view.entries(GT4, now=late))


def _away(ids: object) -> dict[int, int | None]:
    raise StoreUnavailable("away")


def test_a_load_that_fails_leaves_the_view_as_it_was(
    view: GroupView, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(an_entry(6), "added")
    store.pruned_to = len(store.log)
    store.away = True
    with pytest.raises(StoreUnavailable):
        view.refresh(store, now=NOW)
    assert ids(view) == [1, 2, 3, 4, 5]


def test_watchers_hear_of_what_reads_anew_and_no_more(view: GroupView, store: FakeStore) -> None:
    changed = view.watch()
    assert changed == {1, 2, 3, 4, 5}
    changed.clear()
    store.put(an_entry(1, termination=NOW + 1), "renewed")
    store.put(an_entry(2, data=(b"<new/>",)))
    store.remove(3)
    view.refresh(store, now=NOW)
    assert changed == {2, 3}
    view.expire(NOW + 1)
    assert changed == {1, 2, 3}


def test_any_history_gives_what_a_load_gives() -> None:
    chance = random.Random(5)
    store = FakeStore()
    view = GroupView(FACTS)
    for step in range(400):
        for _ in range(chance.choice((1, 3, 40))):
            known = list(store.entries)
            kind = chance.choice(("add", "add", "remove", "renew", "content"))
            if kind == "add" or not known:
                entry_id = len(store.log) * 2 + chance.choice((1, -300))
                if entry_id > 0 and entry_id not in store.entries:
                    store.put(an_entry(entry_id), "added")
            elif kind == "remove":
                store.remove(chance.choice(known))
            elif kind == "renew":
                old = store.entries[chance.choice(known)]
                store.put(replace(old, termination=NOW + chance.randrange(800)), "renewed")
            else:
                old = store.entries[chance.choice(known)]
                store.put(replace(old, data=(b"<n>%d</n>" % step,)), "content")
        view.refresh(store, now=NOW + step)
        if step % 20 == 0:
            _compare(view, store, NOW + step)


def test_readers_and_a_refresher_get_along(view: GroupView, store: FakeStore) -> None:
    for i in range(6, 400):
        store.put(an_entry(i, termination=NOW + i), "added")
    ending = threading.Event()

    def read() -> int:
        rounds = 0
        while not ending.is_set():
            now = NOW + rounds % 50
            fragments = view.entries(GT4, now=now)
            joined = b"".join(fragments)
            assert len(joined) == fragments.size
            assert joined.count(b"</sg:Entry>") == joined.count(b"<sg:Entry ")
            rounds += 1
        return rounds

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        for step in range(200):
            store.put(an_entry(1 + step % 5, data=(b"<n>" + b"x" * step + b"</n>",)))
            view.refresh(store, now=NOW + step % 50)
        ending.set()
        assert all(reader.result(20) > 0 for reader in readers)


def _compare(view: GroupView, store: FakeStore, now: int) -> None:
    wanted = [
        entry_fragment(publish(entry, facts=FACTS, now=now), view.frame(GT4))
        for _, entry in sorted(store.entries.items())
        if entry.termination is None or entry.termination > now
    ]
    assert b"".join(view.entries(GT4, now=now)) == b"".join(wanted)
    assert view.count(now=now) == len(wanted)
