"""A time of day that can be set, for single processes; the clocks that nobody sets stay."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_SOURCE = Path(__file__).with_name("set_clock.c")


@contextmanager
def set_clock() -> Iterator[SetClock]:
    """A clock that processes of any user may see."""
    with tempfile.TemporaryDirectory(prefix="aggregator-clock-") as folder:
        Path(folder).chmod(0o755)
        yield SetClock(Path(folder))


class SetClock:
    """`environ` makes processes see the time of day this way; `set_by` sets it while they run."""

    def __init__(self, folder: Path) -> None:
        library, self._file = folder / "set_clock.so", folder / "clock"
        _compile(library)
        self._file.write_bytes(bytes(8))
        self._file.chmod(0o644)
        self.environ = {"LD_PRELOAD": str(library), "SET_CLOCK": str(self._file)}

    def set_by(self, seconds: float) -> None:
        """Let the time of day be so many seconds ahead of the host's."""
        with self._file.open("r+b", buffering=0) as file:
            file.write(int(seconds * 1e9).to_bytes(8, "little", signed=True))


def _compile(library: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        message = "no clock can be set for a process: there is no C compiler"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), "-ldl"]
    subprocess.run(command, check=True, timeout=60)
