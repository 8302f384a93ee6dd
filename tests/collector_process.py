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


@contextlib.contextmanager
def running_collector(config: Path, *, within: float = 15) -> Iterator[subprocess.Popen[bytes]]:
    """A collector that runs as long as the block; its log lies beside the configuration."""
    log = config.with_suffix(".log")
    command = [sys.executable, "-m", "tests.collector_process", str(config)]
    # What a killed collector can't remove stays with what else the test leaves.
    environ = {**os.environ, "TMPDIR": str(config.parent)}
    with log.open("ab") as stream:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stream, env=environ)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", log.read_text()
        yield process
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
        assert process.stdout is not None
        process.stdout.close()


def main() -> int:
    """Run a collector with the settings of the file that the command line names."""
    file = Path(sys.argv[1])
    logging.basicConfig(format="%(asctime)s %(name)s %(levelname)s %(message)s", level="INFO")
    return run(
        load_settings(file, environ={}, options={}),
        ready=lambda: print("ready", flush=True),
        reload=lambda: load_settings(file, environ={}, options={}),
    )


if __name__ == "__main__":
    sys.exit(main())
