"""A lock between the processes of one host: who asks first is served first."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class LockWait:
    """Seconds that a process spent waiting for the lock."""

    last: float = 0.0
    longest: float = 0.0
    total: float = 0.0
    count: int = 0
    #: Told of each wait, for metrics.
    observer: Callable[[float], None] | None = None

    def add(self, seconds: float) -> None:
        """Count one wait."""
        self.last = seconds
        self.longest = max(self.longest, seconds)
        self.total += seconds
        self.count += 1
        if self.observer is not None:
            self.observer(seconds)


class FileLock:
    """``flock`` on a file of its own.

    SQLite's own way of waiting polls with growing sleeps and lets newcomers pass, so that some
    writer waits for seconds; the kernel wakes who waits in order. A process that dies lets go.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._thread = threading.Lock()
        self.wait = LockWait()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock in the block."""
        began = time.monotonic()
        with self._thread:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self.wait.add(time.monotonic() - began)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    @property
    def file(self) -> int:
        """The descriptor of the file, open until `close`."""
        return self._file

    def close(self) -> None:
        """Give the file back."""
        with self._thread:
            os.close(self._file)
