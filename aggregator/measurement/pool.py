"""Threads that answer messages: a few, which keep no process from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue

_Job = tuple["Future[bytes]", Callable[[], bytes]]


class Full(Exception):
    """Raised where too many calls wait already."""


class Pool:
    """At most `threads` calls run at the same time, and at most `waiting` more wait for one."""

    def __init__(self, *, threads: int, waiting: int) -> None:
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = threads
        self._most = threads + waiting
        self._under_way = 0
        self._started = 0

    def submit(self, call: Callable[[], bytes]) -> Future[bytes]:
        """Have `call` run as soon as a thread is free; raises Full."""
        with self._lock:
            if self._under_way >= self._most:
                raise Full
            self._under_way += 1
            if self._started < min(self._threads, self._under_way):
                self._started += 1
                name = f"measurement-{self._started}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
        future: Future[bytes] = Future()
        self._jobs.put((future, call))
        return future

    def _work(self) -> None:
        while True:
            future, call = self._jobs.get()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:
                    future.set_exception(error)
            with self._lock:
                self._under_way -= 1
            # Until the next job comes, nothing of this one is held.
            del future, call
