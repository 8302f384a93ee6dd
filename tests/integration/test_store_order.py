"""Readers see changes in order, whatever several hosts on one server do at the same time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from aggregator.errors import AddRefused
from aggregator.store.engine import Store
from aggregator.store.entries import (
    add_entry,
    count_entries,
    find_duplicate,
    new_key,
    renew_entries,
)
from aggregator.store.write import Write
from tests import databases, stores
from tests.stores import PLAIN, added, consistent, keys, log_of, opened

pytestmark = pytest.mark.postgresql
SOON = 20

postgresql_url = databases.postgresql_url


@pytest.fixture
def hosts(postgresql_url: str, tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """Two hosts on one server."""
    first, second = opened(postgresql_url, tmp_path), opened(postgresql_url, tmp_path)
    try:
        stores.prepare(first)
        yield first, second
    finally:
        first.close()
        second.close()


@contextmanager
def commits_held(store: Store) -> Iterator[threading.Event]:
    """Hold the store's commits: sequences are drawn, but nothing is committed in the block."""
    arrived, release = threading.Event(), threading.Event()

    def hold(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement == "COMMIT":
            arrived.set()
            assert release.wait(SOON)

    event.listen(store.database.writing, "before_cursor_execute", hold)
    try:
        yield arrived
    finally:
        release.set()


def test_a_reader_never_misses_a_change_whose_transaction_was_held_open(
    hosts: tuple[Store, Store],
) -> None:
    slow, quick = hosts
    read: list[int] = []

    def read_on() -> None:
        read.extend(c.sequence for c in log_of(quick, after=read[-1] if read else 0))

    late: list[int] = []
    with commits_held(slow) as drawn:
        held = threading.Thread(target=lambda: late.append(added(slow).id))
        held.start()
        assert drawn.wait(SOON)
        # The slow host has sequence 1, uncommitted. The quick one comes second, and must wait.
        overtaking = threading.Thread(target=lambda: added(quick))
        overtaking.start()
        overtaking.join(0.3)
        assert overtaking.is_alive()
        read_on()
        assert read == []
    held.join(SOON)
    overtaking.join(SOON)
    read_on()
    assert read == [1, 2]
    assert [change.entry for change in log_of(quick)][:1] == late


def test_a_transaction_held_open_delays_its_own_group_alone(hosts: tuple[Store, Store]) -> None:
    slow, quick = hosts
    with commits_held(slow) as drawn:
        held = threading.Thread(target=lambda: added(slow))
        held.start()
        assert drawn.wait(SOON)
        added(quick, group_id=2)
        assert [change.sequence for change in log_of(quick, 2)] == [1]
    held.join(SOON)


def test_hosts_that_write_to_groups_in_opposite_order_do_not_wait_in_a_ring(
    hosts: tuple[Store, Store], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rounds = 60
    meeting = threading.Barrier(2)

    def write(store: Store, first: int, second: int) -> None:
        def unit(write: Write) -> None:
            write.change(first, 1, "renewed")
            write.change(second, 1, "renewed")

        for _ in range(rounds):
            meeting.wait(SOON)
            store.writer.run(unit)

    threads = [
        threading.Thread(target=write, args=(store, *groups))
        for store, groups in zip(hosts, ((1, 2), (2, 1)), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    for group_id in (1, 2):
        sequences = [change.sequence for change in log_of(hosts[0], group_id)]
        assert sequences == list(range(1, 2 * rounds + 1))
    # A ring would be broken by the server, and one of the two would say so.
    assert "Trying a transaction again" not in caplog.text


def test_a_ring_of_rows_is_broken_and_both_get_through(
    hosts: tuple[Store, Store], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    one, other = added(hosts[0]), added(hosts[0])
    meeting = threading.Barrier(2)

    def renew(store: Store, *keys: str) -> None:
        runs: list[bool] = []

        def unit(write: Write) -> None:
            runs.append(True)
            renew_entries(write, [(1, keys[0], None)])
            if len(runs) == 1:
                meeting.wait(SOON)
            renew_entries(write, [(1, keys[1], None)])

        store.writer.run(unit)

    threads = [
        threading.Thread(target=renew, args=(store, *keys))
        for store, keys in zip(hosts, ((one.key, other.key), (other.key, one.key)), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    assert "Trying a transaction again" in caplog.text
    renewed = [change.entry for change in log_of(hosts[0], after=2)]
    assert sorted(renewed) == sorted([one.id, other.id] * 2)


def test_two_hosts_do_not_both_find_no_duplicate(hosts: tuple[Store, Store]) -> None:
    meeting = threading.Barrier(2)
    keys: list[str] = []

    def register(store: Store) -> None:
        def unit(write: Write) -> str:
            found = find_duplicate(write.connection, 1, "same", write.now)
            if found is not None:
                return found.key
            key = new_key(write.now)
            registration = replace(PLAIN, fingerprint="same")
            return add_entry(write, registration, group_id=1, due=None, key=key).key

        meeting.wait(SOON)
        keys.append(store.writer.run(unit))

    for _ in range(10):
        threads = [threading.Thread(target=register, args=(store,)) for store in hosts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SOON)
    assert len(keys) == 20
    assert len(set(keys)) == 1


@pytest.mark.parametrize("owner", [None, PLAIN.caller.owner])
def test_two_hosts_together_keep_to_a_limit(hosts: tuple[Store, Store], owner: str | None) -> None:
    meeting = threading.Barrier(2)
    results: list[str] = []

    def register(store: Store) -> None:
        runs: list[bool] = []

        def unit(write: Write) -> None:
            room = count_entries(write, 1, owner, limit=1) < 1
            runs.append(room)
            if len(runs) == 1:
                meeting.wait(SOON)
            if not room:
                raise AddRefused("full")
            add_entry(write, PLAIN, group_id=1, due=None, key=new_key(write.now))

        try:
            store.writer.run(unit)
        except AddRefused:
            results.append(f"refused after {runs}")
        else:
            results.append("added")

    threads = [threading.Thread(target=register, args=(store,)) for store in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON)
    # Both found room at first; who came second to the commit had to look again.
    assert sorted(results) == ["added", "refused after [True, False]"]
    assert len(keys(hosts[0])) == 1
    consistent(hosts[0])


def test_a_transaction_that_the_server_ended_for_its_silence_is_run_again(
    hosts: tuple[Store, Store], caplog: pytest.LogCaptureFixture
) -> None:
    """As when the process was stopped in the middle of it, or its machine slept."""
    store, other = hosts
    silences: list[str] = []

    def fall_silent(_connection: object, cursor: Any, statement: str, *_: object) -> None:
        if statement == "COMMIT" and not silences:
            silences.append(statement)
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 100")
            time.sleep(0.5)

    event.listen(store.database.writing, "before_cursor_execute", fall_silent)
    entry = added(store)
    assert silences
    assert keys(other) == {entry.key}
    consistent(other)
    assert "refused what it was asked" not in caplog.text
