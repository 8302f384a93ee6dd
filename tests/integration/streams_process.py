"""Processes that store and stream, for tests that kill them.

``work PLACE FOLDER RUN THREADS`` stores rows in so many threads until it is killed, each with a
text that no other has, and streams them all the while. What `store_data` acknowledged goes to the
file ``acknowledged``, what was sent to ``sent``, a line for each row: its id, its text and ``;``.
``drain PLACE FOLDER`` sends what is left, and ends.
``die PLACE FOLDER`` stores three rows, sends them, and is gone before it can take note of it; the
message's id is in the file ``batch``.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from aggregator.streams import Batch, SqliteDataStreamer
from aggregator.streams.messengers import FunctionMessenger

ROOT = Path(__file__).parents[2]


def started(*arguments: str) -> subprocess.Popen[bytes]:
    """A process of this module; the caller waits for it or kills it."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.streams_process", *arguments], cwd=ROOT
    )


def _appending(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def streaming(place: str) -> SqliteDataStreamer:
    """A streamer as these processes have it."""
    streamer = SqliteDataStreamer(place, timeout=20)
    streamer.add_storage("rows", ["text"], ["VARCHAR"])
    streamer.stream("rows", None, None, None, 0.2, lambda rows, _: rows, row_ids=True)
    return streamer


def _writer(folder: Path) -> Any:
    """A messenger that appends to a file; a kill may tear its last line."""
    file = _appending(folder / "sent")

    def send(rows: list[list[Any]], *to: Any) -> None:
        lines = "".join(f"{name} {text};\n" for name, _, text in rows)
        os.write(file, f"\n{lines}".encode())

    return send


def _work(streamer: SqliteDataStreamer, folder: Path, run: str, threads: str) -> None:
    acknowledged = _appending(folder / "acknowledged")

    def store(thread: int) -> None:
        for number in itertools.count():
            text = f"{run}-{thread}-{number}"
            name = streamer.store_data("rows", time.time(), text)
            os.write(acknowledged, f"\n{name} {text};\n".encode())

    for thread in range(int(threads)):
        threading.Thread(target=store, args=(thread,), daemon=True).start()
    send = _writer(folder)
    while True:
        time.sleep(max(0.0, streamer.do_updates(time.time(), send) - time.time()))


def _drain(streamer: SqliteDataStreamer, folder: Path) -> None:
    send, now = _writer(folder), time.time()
    while streamer.status()[0].waiting:
        now = streamer.do_updates(now, send)


def _die(streamer: SqliteDataStreamer, folder: Path) -> None:
    for text in "abc":
        streamer.store_data("rows", 1, text)
    write = _writer(folder)

    def send(rows: list[list[Any]], batch: Batch) -> None:
        write(rows)
        (folder / "batch").write_text(batch.id)
        os.kill(os.getpid(), signal.SIGKILL)

    streamer.do_updates(time.time(), FunctionMessenger(send))


if __name__ == "__main__":
    what, place, folder, *rest = sys.argv[1:]
    todo: dict[str, Any] = {"work": _work, "drain": _drain, "die": _die}
    todo[what](streaming(place), Path(folder), *rest)
