"""A backup is whole, is taken while others write, and overwrites nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.errors import ConfigError
from aggregator.store.backup import backup
from aggregator.store.engine import Store
from tests import stores
from tests.stores import added, consistent, keys, opened


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Store]:
    """An embedded store in use."""
    store = opened("", tmp_path)
    try:
        stores.prepare(store)
        yield store
    finally:
        store.close()


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'aggregator.sqlite'}"


def test_a_backup_is_a_store_of_what_was_committed(serving: Store, tmp_path: Path) -> None:
    before = {added(serving, content=(b"<x/>",)).key for _ in range(5)}
    acknowledged: list[str] = []
    ends = threading.Event()

    def work() -> None:
        while not ends.is_set():
            acknowledged.append(added(serving, config=bytes(10_000)).key)

    writing = threading.Thread(target=work)
    writing.start()
    try:
        while len(acknowledged) < 20:
            ends.wait(0.01)
        earlier = set(acknowledged)
        backup(url_of(tmp_path), tmp_path / "copy.db")
    finally:
        ends.set()
        writing.join(20)
    copy = opened(f"sqlite:///{tmp_path / 'copy.db'}", tmp_path)
    try:
        assert before | earlier <= keys(copy) <= before | set(acknowledged)
        consistent(copy)
        added(copy)
    finally:
        copy.close()
    assert keys(serving) == before | set(acknowledged)
    left = {path.name for path in tmp_path.iterdir()}
    assert not {name for name in left if name.startswith(".")}


def test_nothing_is_overwritten(serving: Store, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("precious")
    with pytest.raises(ConfigError, match="exists already"):
        backup(url_of(tmp_path), target)
    assert target.read_text() == "precious"


def test_what_can_not_be_copied_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pg_dump"):
        backup("postgresql+psycopg://localhost/x", tmp_path / "copy.db")
    with pytest.raises(ConfigError, match="there is no database at"):
        backup(url_of(tmp_path), tmp_path / "copy.db")


def test_a_folder_that_is_not_there_is_said(serving: Store, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be written: No such file"):
        backup(url_of(tmp_path), tmp_path / "none" / "copy.db")
