"""Threads of a web worker: few that work, and as many beside them as wait for something.

Python runs one thread at a time, so that more at work than a few only take it from each other. A
request that waits, for the disk, for a database that hangs, for an expression that takes long,
must not keep a thread from the others: while it waits, another may take its place.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue

Task = Callable[[], None]
#: So many tasks may wait for a thread before that is told.
_FEW = 2


class Pool:
    """Runs tasks; each must deal with its errors itself.

    About `working` of them at a time (up to twice as many for a moment, when those that waited
    come back), never more than `most` together with those that wait.
    """

    def __init__(self, *, working: int, most: int) -> None:
        self._working = working
        self._most = max(working, most)
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._waiting = 0

    def start(self) -> None:
        """Start the threads that work."""
        with self._lock:
            while self._threads < self._working:
                if not self._add():
                    raise RuntimeError("no threads can be started")

    def submit(self, task: Task) -> None:
        """Run a task as soon as a thread is free."""
        self._tasks.put(task)

    @property
    def is_behind(self) -> bool:
        """Whether tasks wait for a thread."""
        return self._tasks.qsize() > _FEW

    def close(self) -> None:
        """Let each thread end after what it does now."""
        with self._lock:
            for _ in range(self._threads):
                self._tasks.put(None)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let another thread work while this one waits in the block."""
        with self._lock:
            self._waiting += 1
            if self._threads - self._waiting < self._working and self._threads < self._most:
                self._add()
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1

    def _add(self) -> bool:
        """Start one more thread, where the system lets us."""
        try:
            threading.Thread(target=self._run, name="web", daemon=True).start()
        except RuntimeError:
            return False
        self._threads += 1
        return True

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()
            del task
            if self._is_spare():
                return

    def _is_spare(self) -> bool:
        """Whether there are threads enough without this one, which must end then."""
        if self._threads - self._waiting <= 2 * self._working:
            return False
        with self._lock:
            if self._threads - self._waiting <= 2 * self._working:
                return False
            self._threads -= 1
            return True
