"""Several processes on one store: killed, competing, starting at once."""

from __future__ import annotations

import subprocess
from pathlib import Path

from aggregator.store.engine import Store
from aggregator.store.entries import count_entries
from aggregator.store.migrate import schema_is_current
from aggregator.store.reading import load_group
from tests import stores
from tests.integration.store_process import released, started
from tests.stores import log_of, opened

store = stores.store

PATIENCE = 60


def keys(store: Store) -> set[str]:
    with store.read() as connection:
        return {entry.key for entry in load_group(connection, 1)}


def lines(process: subprocess.Popen[str]) -> list[str]:
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    return output.split("\n")[:-1]


def test_what_was_acknowledged_before_a_kill_is_there(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    process = started("add", database_url, str(tmp_path), "8", "0")
    try:
        released(process)
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().strip() for _ in range(300)]
    finally:
        process.kill()
    acknowledged += process.communicate(timeout=PATIENCE)[0].split()
    assert len(set(acknowledged)) == len(acknowledged) >= 300
    again = opened(database_url, tmp_path)
    try:
        assert set(acknowledged) <= keys(again)
        # Nothing half done either: every entry was told and counted, and the next one can be.
        stored = keys(again)
        assert [change.sequence for change in log_of(again)] == list(range(1, len(stored) + 1))
        assert again.writer.run(lambda write: count_entries(write, 1)) == len(stored)
        stores.added(again)
    finally:
        again.close()


def test_competing_writers_get_their_turns(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'aggregator.sqlite'}"
    mine = opened(url, tmp_path)
    added: set[str] = set()
    waits: list[float] = []
    try:
        stores.prepare(mine)
        for _ in range(3):
            processes = [started("add", url, str(tmp_path), "4", "2") for _ in range(4)]
            released(*processes)
            found = [lines(process) for process in processes]
            added.update(line for output in found for line in output[:-1])
            assert keys(mine) == added
            assert len(log_of(mine)) == len(added)
            assert min(map(len, found)) > 0.5 * max(map(len, found))
            waits.append(max(float(output[-1].split()[1]) for output in found))
            if waits[-1] < 0.2:
                break
    finally:
        mine.close()
    # Without the file lock the unluckiest of them waits for seconds.
    assert min(waits) < 0.5


def test_of_several_that_start_at_once_one_migrates(database_url: str, tmp_path: Path) -> None:
    processes = [started("migrate", database_url, str(tmp_path)) for _ in range(4)]
    logs = [process.communicate(timeout=PATIENCE)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, logs
    assert sum("Migrated the store from version none" in log for log in logs) == 1
    found = opened(database_url, tmp_path)
    try:
        assert schema_is_current(found)
    finally:
        found.close()
