"""A collector as a process of its own for tests: its settings come as a TOML file.

Run as a program it prints ``ready`` once it holds its lease or knows that another does.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from aggregator.collect.main import run
from aggregator.config import load_settings
from tests.loaded import Copy, Loaded

Running = subprocess.Popen[bytes] | Copy
_loaded = Loaded("collector", module="tests.collector_process")


@contextlib.contextmanager
def running_collector(config: Path, *, within: float = 15) -> Iterator[Running]:
    """A collector that runs as long as the block; its log lies beside the configuration."""
    log = config.with_suffix(".log")
    # What a killed collector can't remove stays with what else the test leaves.
    environ = {"TMPDIR": str(config.parent)}
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as said:
        with os.fdopen(writing, "wb") as out, log.open("ab") as stream:
            process = _loaded.play(
                [str(config)], out=out.fileno(), log=stream.fileno(), environ=environ
            )
        with _ended(process):
            assert said.readline() == b"ready\n", log.read_text()
            yield process


@contextlib.contextmanager
def _ended(process: Running) -> Iterator[None]:
    try:
        yield
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


def main(config: str) -> int:
    """Run a collector with the settings of a file."""
    file = Path(config)
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s", level="INFO")
    return run(
        load_settings(file, environ={}, options={}),
        ready=lambda: print("ready", flush=True),
        reload=lambda: load_settings(file, environ={}, options={}),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
