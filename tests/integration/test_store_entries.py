"""Entries are stored as they were registered, expire to the microsecond, and are counted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aggregator.model import Caller, Entry, Plan
from aggregator.store.engine import Store
from aggregator.store.entries import (
    add_entry,
    count_entries,
    find_duplicate,
    get_entry,
    new_key,
    remove_entry,
    remove_expired,
    renew_entries,
)
from aggregator.store.reading import health, last_successes, load_entries, load_group
from aggregator.store.write import Write
from tests import stores
from tests.stores import PLAIN, SECOND, ManualClock, added, log_of

store, clock = stores.store, stores.clock

BINARY = "<a b='\"'>\N{SNOWMAN} \N{LINEAR B SYLLABLE B008 A}\r\n</a>".encode()


def get(store: Store, entry: Entry, now: int) -> Entry | None:
    return store.query(lambda connection: get_entry(connection, 1, entry.key, now))


def group(store: Store, group_id: int = 1, **limits: int) -> list[Entry]:
    with store.read() as connection:
        return list(load_group(connection, group_id, **limits))


def test_an_entry_is_read_as_it_was_registered(store: Store) -> None:
    entry = added(
        store,
        member=BINARY,
        config=BINARY,
        content=(b"<one/>", b"", BINARY),
        termination=store.clock.now() + 3600 * SECOND,
        sink_plans={"archive": Plan("archive", 0, {"keep": [1, "two", None]})},
        caller=Caller(identity="CN=Ä", address="192.0.2.7"),
        origin="north/south",
    )
    assert entry.data == (b"<one/>", b"", BINARY)
    assert entry.owner == "CN=Ä"
    assert get(store, entry, store.clock.now()) == entry
    assert group(store) == [entry]
    with store.read() as connection:
        assert load_entries(connection, [entry.id, entry.id + 1]) == [entry]
        assert health(connection, entry.id) == entry.health
        assert last_successes(connection, [entry.id]) == {entry.id: None}


def test_keys_of_another_group_are_unknown(store: Store) -> None:
    entry = added(store)
    now = store.clock.now()
    assert store.query(lambda c: get_entry(c, 2, entry.key, now)) is None
    assert store.writer.run(lambda write: renew_entries(write, [(2, entry.key, None)])) == [None]
    assert not store.writer.run(lambda write: remove_entry(write, 2, entry.key))
    assert get(store, entry, now) == entry


def test_an_entry_ends_exactly_at_its_termination_time(store: Store, clock: ManualClock) -> None:
    ends = clock.time + 10
    entry = added(store, termination=ends, fingerprint="same")
    clock.time = ends - 1
    assert get(store, entry, clock.now()) == entry
    assert store.writer.run(lambda write: remove_expired(write, 10)) == []
    assert store.writer.run(lambda write: count_entries(write, 1)) == 1
    clock.time = ends
    assert get(store, entry, clock.now()) is None
    assert store.query(lambda c: find_duplicate(c, 1, "same", clock.now())) is None
    assert store.writer.run(lambda write: count_entries(write, 1)) == 0
    assert store.writer.run(lambda write: count_entries(write, 1, entry.owner)) == 0
    assert store.writer.run(lambda write: renew_entries(write, [(1, entry.key, None)])) == [None]
    assert not store.writer.run(lambda write: remove_entry(write, 1, entry.key))
    removed = store.writer.run(lambda write: remove_expired(write, 10))
    assert removed == [("A", entry.key, entry.address)]
    assert group(store) == []


def test_a_batch_of_renewals_tells_of_each_whether_it_was_granted(
    store: Store, clock: ManualClock
) -> None:
    first = added(store, termination=clock.time + 10, address="http://first/")
    second = added(store, termination=clock.time + 20, address="http://second/")
    gone = added(store, termination=clock.time + 5)
    clock.time += 6
    later = clock.time + 100
    wanted = [(1, gone.key, later), (1, first.key, later), (1, "none", 5), (1, second.key, None)]
    assert store.writer.run(lambda write: renew_entries(write, wanted)) == [
        None, first.address, None, second.address,
    ]  # fmt: skip
    assert get(store, first, later - 1) == replace(first, termination=later, version=2)
    assert get(store, second, 2**60) == replace(second, termination=None, version=2)
    renewed = [(change.kind, change.entry) for change in log_of(store, after=3)]
    assert renewed == [("renewed", first.id), ("renewed", second.id)]


def test_an_entry_that_is_renewed_twice_in_a_batch_ends_as_if_one_came_after_the_other(
    store: Store, clock: ManualClock
) -> None:
    entry, other = added(store, termination=clock.time + 10), added(store)
    later, past = clock.time + 100, clock.time - 1
    wanted = [(1, entry.key, past), (1, other.key, later), (1, entry.key, later)]
    assert store.writer.run(lambda write: renew_entries(write, wanted)) == [
        entry.address, other.address, None,
    ]  # fmt: skip
    assert get(store, entry, clock.now()) is None
    assert get(store, other, later - 1) == replace(other, termination=later, version=2)


@pytest.mark.parametrize("many", [1, 3, 64, 150])
def test_many_are_renewed_in_one_unit(store: Store, clock: ManualClock, many: int) -> None:
    found = [added(store, address=f"http://member/{number}") for number in range(many)]
    wanted = [(1, entry.key, clock.time + number + 1) for number, entry in enumerate(found)]
    told = store.writer.run(lambda write: renew_entries(write, wanted))
    assert told == [entry.address for entry in found]
    ends = [entry.termination for entry in group(store)]
    assert ends == [termination for _, _, termination in wanted]


def test_a_renewal_to_the_past_ends_the_entry(store: Store, clock: ManualClock) -> None:
    entry = added(store)
    assert store.writer.run(lambda write: renew_entries(write, [(1, entry.key, clock.time)]))[0]
    assert get(store, entry, clock.now()) is None


def test_a_duplicate_is_the_oldest_of_its_fingerprint_in_the_group(store: Store) -> None:
    first = added(store, fingerprint="same")
    added(store, fingerprint="same")
    added(store, fingerprint="other")
    now = store.clock.now()
    assert store.query(lambda c: find_duplicate(c, 1, "same", now)) == first
    assert store.query(lambda c: find_duplicate(c, 2, "same", now)) is None
    assert store.query(lambda c: find_duplicate(c, 1, "none", now)) is None


def test_counts_follow_adds_removals_and_owners(store: Store, clock: ManualClock) -> None:
    mine = [added(store, caller=Caller(identity="me")) for _ in range(3)]
    added(store, caller=Caller(identity="you"), termination=clock.time + 1)
    added(store, caller=Caller())
    added(store, group_id=2, caller=Caller(identity="me"))

    def counts() -> tuple[int, ...]:
        return store.writer.run(
            lambda write: tuple(
                count_entries(write, *asked)
                for asked in ((1,), (2,), (1, "me"), (1, "you"), (2, "you"))
            )
        )

    assert counts() == (5, 1, 3, 1, 0)
    store.writer.run(lambda write: remove_entry(write, 1, mine[0].key))
    assert counts() == (4, 1, 2, 1, 0)
    clock.time += 1
    assert counts() == (3, 1, 2, 0, 0)
    store.writer.run(lambda write: remove_expired(write, 10))
    assert counts() == (3, 1, 2, 0, 0)


def test_a_unit_counts_what_it_added_itself(store: Store) -> None:
    def unit(write: Write) -> list[int]:
        seen = []
        for number in range(3):
            seen.append(count_entries(write, 1))
            add_entry(write, PLAIN, group_id=1, due=None, key=f"key{number}")
        return seen

    assert store.writer.run(unit) == [0, 1, 2]


def test_a_removed_entry_is_gone_everywhere_and_told(store: Store) -> None:
    entry, other = added(store, content=(b"<x/>",)), added(store)
    removed = store.writer.run(lambda write: remove_entry(write, 1, entry.key))
    assert removed == entry.address
    assert store.writer.run(lambda write: remove_entry(write, 1, entry.key)) is None
    assert group(store) == [other]
    with store.read() as connection:
        for table in ("entries", "entry_state", "entry_health", "entry_data"):
            counted = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar()
            assert (table, counted) == (table, 1)
    assert [(c.sequence, c.kind, c.entry) for c in log_of(store)] == [
        (1, "added", entry.id),
        (2, "added", other.id),
        (3, "removed", entry.id),
    ]


def test_ids_are_never_used_twice(store: Store) -> None:
    last = added(store)
    store.writer.run(lambda write: remove_entry(write, 1, last.key))
    assert added(store).id > last.id


def test_expired_entries_of_all_groups_leave_in_batches(store: Store, clock: ManualClock) -> None:
    for number in range(6):
        added(store, group_id=1 + number % 2, termination=clock.time + number)
    kept = added(store)
    clock.time += 10
    removed: list[int] = []
    while not removed or removed[-1]:
        removed.append(len(store.writer.run(lambda write: remove_expired(write, 4))))
    assert removed == [4, 2, 0]
    assert group(store) == [kept]
    assert group(store, 2) == []
    assert [change.kind for change in log_of(store, 2)] == ["added"] * 3 + ["removed"] * 3


def test_a_group_is_read_in_pages_by_age(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aggregator.store.reading.PAGE", 3)
    entries = [added(store, address=f"http://{number}/") for number in range(7)]
    added(store, group_id=2)
    assert group(store) == entries
    assert group(store, limit=4) == entries[:4]
    assert group(store, limit=3) == entries[:3]
    assert group(store, after_id=entries[4].id) == entries[5:]
    with store.read() as connection:
        found = load_entries(connection, [entry.id for entry in entries])
    assert sorted(found, key=lambda entry: entry.id) == entries


def test_keys_grow_with_time_and_differ_at_one_instant() -> None:
    keys = [new_key(now) for now in (0, 5, 5, 1_700_000_000 * SECOND, 2**53)]
    assert [key[:14] for key in keys] == sorted(key[:14] for key in keys)
    assert len({key[14:] for key in keys}) == len(keys)
    assert {len(key) for key in keys} == {46}
