"""A store in trouble answers in time, does nothing by halves, and recovers by itself."""

from __future__ import annotations

import fcntl
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aggregator.errors import StoreUnavailable
from aggregator.store.engine import Store
from tests import stores
from tests.integration.small_disk import fill, mounted
from tests.stores import added, consistent, keys, opened

LIMIT = 1.0
SOON = 20


def refused_in_time(store: Store, **fields: Any) -> str:
    """Add in vain; what was said."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailable) as refusal:
        added(store, **fields)
    assert time.monotonic() - began < LIMIT
    return str(refusal.value)


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Store]:
    """An embedded store with short time limits."""
    store = opened("", tmp_path, write_timeout=LIMIT)
    try:
        stores.prepare(store)
        yield store
    finally:
        store.close()


def test_a_locked_file_refuses_in_time_and_is_read_meanwhile(
    embedded: Store, tmp_path: Path
) -> None:
    first = added(embedded)
    with closing(sqlite3.connect(tmp_path / "aggregator.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused_in_time(embedded)
        assert keys(embedded) == {first.key}
        other.execute("ROLLBACK")
    second = added(embedded)
    assert keys(embedded) == {first.key, second.key}
    consistent(embedded)


def test_a_stopped_process_with_the_lock_refuses_in_time(embedded: Store, tmp_path: Path) -> None:
    first = added(embedded)
    with (tmp_path / "aggregator.sqlite.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "nothing changed" in refused_in_time(embedded)
        assert keys(embedded) == {first.key}
    second = added(embedded)
    assert keys(embedded) == {first.key, second.key}
    consistent(embedded)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    with mounted(tmp_path / "small", megabytes=2) as folder:
        yield folder


def test_a_full_disk_refuses_and_recovers_when_there_is_room(small_disk: Path) -> None:
    store = opened("", small_disk, write_timeout=LIMIT)
    try:
        stores.prepare(store)
        acknowledged = {added(store).key}
        filler = small_disk / "filler"
        fill(filler)
        while True:
            try:
                acknowledged.add(added(store, config=bytes(20_000)).key)
            except StoreUnavailable as error:
                assert "full" in str(error)  # noqa: PT017
                break
        refused_in_time(store, config=bytes(20_000))
        assert keys(store) == acknowledged
        filler.unlink()
        acknowledged.add(added(store, config=bytes(20_000)).key)
        assert keys(store) == acknowledged
        consistent(store)
    finally:
        store.close()


def test_one_that_does_not_fit_harms_nobody(embedded: Store, tmp_path: Path) -> None:
    with embedded.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    embedded.writer.run(
        lambda write: write.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 60}")
    )
    began, release = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        began.set()
        assert release.wait(SOON)

    held = embedded.writer.submit(hold)
    assert began.wait(SOON)
    told: dict[str, object] = {}

    def ask(name: str, size: int) -> None:
        try:
            told[name] = added(embedded, config=bytes(size)).key
        except StoreUnavailable as error:
            told[name] = error

    asking = [
        threading.Thread(target=ask, args=asked)
        for asked in (("small", 1000), ("large", 1_000_000), ("last", 1000))
    ]
    for thread in asking:
        thread.start()
    while embedded.writer._queue.qsize() < 3:
        time.sleep(0.001)
    release.set()
    held.result(SOON)
    for thread in asking:
        thread.join(SOON)
    assert isinstance(told["large"], StoreUnavailable)
    assert keys(embedded) == {told["small"], told["last"]}
    consistent(embedded)


def test_who_gets_no_connection_is_refused_in_time(tmp_path: Path) -> None:
    store = opened("", tmp_path, pool_size=1, busy_timeout=0.2)
    try:
        with store.read():
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match="limit"):
                store.ping()
            assert time.monotonic() - began < LIMIT
        store.ping()
    finally:
        store.close()
