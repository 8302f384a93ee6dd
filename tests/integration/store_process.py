"""Processes that work on a store, for tests that need real ones.

``add URL FOLDER THREADS SECONDS`` says ``ready``, waits for a line on standard input, and adds for
so long (0: until it is killed), a line on standard output for every key that was acknowledged, and
at the end the longest wait for the file lock.
``migrate URL FOLDER`` migrates; its log goes to standard error.
``enter URL FOLDER NAME`` enters a process of the service under a name and waits to be killed.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from aggregator.store.engine import Store
from aggregator.store.entries import add_entry, count_entries, new_key
from aggregator.store.migrate import migrate
from aggregator.store.processes import start_process
from aggregator.store.write import Write
from tests.stores import PLAIN, opened


def started(*arguments: str) -> subprocess.Popen[str]:
    """A process of this module; the caller waits for it or kills it."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.store_process", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def released(*processes: subprocess.Popen[str]) -> None:
    """Let processes that add begin, all at once when all are ready."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def _add(store: Store, *, threads: int, seconds: float) -> None:
    print("ready", flush=True)
    sys.stdin.readline()
    ends = time.monotonic() + seconds if seconds else float("inf")

    def work() -> None:
        while time.monotonic() < ends:
            key = new_key(store.clock.now())

            def unit(write: Write, key: str = key) -> None:
                count_entries(write, 1)
                add_entry(write, PLAIN, group_id=1, due=None, key=key)

            store.writer.run(unit)
            # One write for each line, so that a kill can't tear it.
            os.write(1, f"{key}\n".encode())

    working = [threading.Thread(target=work) for _ in range(threads)]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()
    print(f"wait {store.writer.lock_wait.longest:.6f}", flush=True)


def main(command: str, url: str, folder: str, *rest: str) -> None:
    """Do what the command says."""
    logging.basicConfig(level=logging.INFO)
    store = opened(url, Path(folder))
    if command == "migrate":
        migrate(store)
    elif command == "enter":
        store.writer.run(lambda write: start_process(write, rest[0], "web"))
        print("entered", flush=True)
        time.sleep(60)
    else:
        _add(store, threads=int(rest[0]), seconds=float(rest[1]))
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
