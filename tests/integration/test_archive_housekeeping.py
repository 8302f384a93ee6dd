"""Retention that stumbles, is undone or runs beside readers; partitions of the first day."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from aggregator.archive.retention import Retention
from aggregator.collect.main import _make_partitions, _Role
from aggregator.config import GroupSettings, Settings
from aggregator.errors import StoreUnavailable
from aggregator.store.archive_tables import DAY
from aggregator.store.engine import Store
from aggregator.store.write import Write
from tests import databases, stores
from tests.integration.archive_kit import arrival, at, keep, keep_together, page
from tests.stores import SECOND, ManualClock

store, clock = stores.store, stores.clock
postgresql_url = databases.postgresql_url
A_DAY = DAY // SECOND


def settings(**group: Any) -> Settings:
    return replace(Settings(), groups={"A": GroupSettings(name="A", sinks=("archive",), **group)})


def drain(store: Store, retention: Retention) -> None:
    """Let retention do all that there is to do."""
    for _ in range(1000):
        done = store.writer.run(retention)
        retention.committed()
        if not done:
            return
    raise AssertionError("retention finds no end")


def undone(store: Store, retention: Retention) -> None:
    """Let retention do a batch in a transaction that does not come to be."""

    def unit(write: Write) -> None:
        retention(write)
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        store.writer.run(unit)


def one(store: Store, sql: str) -> Any:
    with store.read() as connection:
        return connection.exec_driver_sql(sql).scalar_one()


@pytest.mark.parametrize("numbers", [(1e308, 1e308), (-1e308, 1e308, 1e308, 1e308)])
def test_numbers_that_have_no_sum_stop_nobody_else(
    store: Store, clock: ManualClock, numbers: tuple[float, ...], caplog: pytest.LogCaptureFixture
) -> None:
    keep(store, *(arrival(str(n), at(n), load=load) for n, load in enumerate(numbers)))
    keep(store, *(arrival(str(n), at(A_DAY + n), load=1.0) for n in range(3)))
    keep(store, arrival("c", at(6), key="k3"))
    keep(store, arrival("b", at(5), key="k2", load=2.0), group="B")
    retention = Retention(settings(series_raw_age=float(A_DAY), series_age=0.0))
    clock.time = at(40 * A_DAY)
    drain(store, retention)
    assert "stay as they are: 2023-11-15" in caplog.text
    assert one(store, "SELECT count(*) FROM archive_points") == len(numbers)
    assert one(store, "SELECT count(*) FROM archive_buckets") == 2
    # Documents left, and what nothing is left of was looked for.
    assert one(store, "SELECT count(*) FROM archive_spans") == 0
    assert one(store, "SELECT count(*) FROM archive_streams WHERE entry_key = 'k3'") == 0
    # It is tried again, but not at once; what leaves altogether needs no sum.
    caplog.clear()
    clock.time += 3601 * SECOND
    drain(store, retention)
    assert caplog.text.count("stay as they are") == 1
    drain(store, Retention(settings(series_raw_age=float(A_DAY), series_age=2.0 * A_DAY)))
    assert one(store, "SELECT count(*) FROM archive_points") == 0


def test_what_was_undone_is_done_the_next_time(store: Store, clock: ManualClock) -> None:
    keep_together(store, *(arrival("a", at(n), key=f"k{n}", load=1.0) for n in range(450)))
    retention = Retention(settings(series_raw_age=float(A_DAY), series_age=2.0 * A_DAY))
    clock.time = at(40 * A_DAY)
    for _ in range(3):
        undone(store, retention)
        store.writer.run(retention)
        retention.committed()
    for _ in range(6):
        # It may have come to the end without anybody's knowing, too.
        undone(store, retention)
    drain(store, retention)
    for table in ("spans", "points", "series", "streams", "bases", "days"):
        assert one(store, f"SELECT count(*) FROM archive_{table}") == 0, table


def test_retention_runs_beside_queries(store: Store, clock: ManualClock) -> None:
    """Who pages through an archive that is given up meanwhile finds each document once at most."""
    for day in range(6):
        for key in range(8):
            whole = [arrival(f"{day}-{key}-{n}", at(day * A_DAY + 9 * n + key), key=f"{key}")
                     for n in range(4)]  # fmt: skip
            keep(store, *whole)
    kept = {f"<v>5-{key}-{n}</v>".encode() for key in range(8) for n in range(4)}
    errors: list[BaseException] = []
    rounds: list[set[bytes]] = []
    ended = threading.Event()

    def read() -> None:
        try:
            while not ended.is_set() or not rounds:
                rounds.append(set(_paged(store)))
        except BaseException as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    retention = Retention(settings(archive_age=float(A_DAY)))
    try:
        for day in range(2, 7):
            clock.time = at(day * A_DAY + 1)
            drain(store, retention)
            clock.time += 3601 * SECOND
            drain(store, retention)
    finally:
        ended.set()
        for reader in readers:
            reader.join(30)
    assert errors == []
    assert all(found >= kept for found in rounds)
    assert set(_paged(store)) == kept


def _paged(store: Store) -> Iterator[bytes]:
    places = set()
    after = None
    while True:
        part = page(store, after=after, most=3)
        for span in part.spans:
            assert span.place not in places
            places.add(span.place)
            yield b"".join(span.children)
        if not part.more:
            return
        after = part.spans[-1].place


@pytest.mark.postgresql
def test_a_collector_that_has_entered_the_store_finds_partitions_for_what_it_delivers(
    postgresql_url: str, tmp_path: Path
) -> None:
    prepared = stores.opened(postgresql_url, tmp_path)
    stores.prepare(prepared)
    prepared.close()
    configured = settings()
    configured = replace(configured, store=replace(configured.store, url=postgresql_url))
    role = _Role(configured, cast(Any, None), adopt=False, before="")
    entered = asyncio.run(role._open_store(asyncio.Event()))
    assert entered is not None
    try:
        keep(entered, arrival("a", entered.clock.now(), load=1.0))
        for table in ("archive_spans", "archive_points"):
            assert one(entered, f"SELECT count(*) FROM {table}") == 1
            assert one(entered, f"SELECT count(*) FROM {table}_default") == 0
    finally:
        entered.close()


def test_a_store_that_makes_no_partitions_keeps_no_collector_from_starting(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuses(unit: object) -> None:
        raise StoreUnavailable("it may not make tables")

    monkeypatch.setattr(store.writer, "run", refuses)
    _make_partitions(store)
    assert "it may not make tables" in caplog.text
