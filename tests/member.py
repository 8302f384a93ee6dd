"""A real ``aggregator member`` for tests, as a process on a free port."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence

from tests.waiting import until


@contextlib.contextmanager
def running_member(*options: str) -> Iterator[str]:
    """The URL of a member that runs as long as the block."""
    command: Sequence[str] = [sys.executable, "-m", "aggregator", "member", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            assert process.stdout is not None
            line = ""
            while "listening on " not in line:
                line = process.stdout.readline().decode()
                assert line, f"the member ended with {process.wait()}"
            yield line.partition("listening on ")[2].split()[0]
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            if process.poll() is None:
                process.kill()


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie has)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


__all__ = ["gone", "running_member", "until"]
