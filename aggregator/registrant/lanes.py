"""Threads that work for service groups: each group has its own, so a dead one delays no other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

W = TypeVar("W")

#: Threads in all. Registrations in more groups than this share threads by turns.
MAX_THREADS = 256
#: Threads for one group; more bring nothing, since one interpreter writes all requests.
MAX_PER_GROUP = 8


@dataclass(frozen=True, slots=True)
class Done(Generic[W]):
    """A piece of work that ended, with the error if it failed."""

    work: W
    error: Exception | None = None


class Lanes(Generic[W]):
    """Carries pieces of work to the threads of their group, and what became of them back.

    The threads are daemons: a call that hangs until its time-out keeps nobody from leaving.
    """

    def __init__(self, groups: Iterable[Hashable], *, do: Callable[[W], None]) -> None:
        distinct = list(dict.fromkeys(groups))
        count = max(1, min(len(distinct), MAX_THREADS))
        self._width = max(1, min(MAX_PER_GROUP, MAX_THREADS // count))
        self._do = do
        # None sends one thread home.
        self._waiting: list[SimpleQueue[W | None]] = [SimpleQueue() for _ in range(count)]
        self._started = [0] * count
        self._lane_of = {group: position % count for position, group in enumerate(distinct)}
        self._done: SimpleQueue[Done[W] | None] = SimpleQueue()
        #: Pieces of work that were handed over and whose end `next_done` has not told.
        self.under_way = 0

    def submit(self, group: Hashable, work: W) -> None:
        """Hand over a piece of work; its end comes from `next_done`."""
        lane = self._lane_of[group]
        self.under_way += 1
        self._waiting[lane].put(work)
        if self._started[lane] < self._width:
            self._started[lane] += 1
            name = f"group-{lane}-{self._started[lane]}"
            threading.Thread(target=self._serve, args=(lane,), name=name, daemon=True).start()

    def next_done(self, timeout: float | None) -> Done[W] | None:
        """What ended next, None after `timeout` seconds or a `wake`."""
        try:
            done = self._done.get(timeout=timeout)
        except Empty:
            return None
        if done is not None:
            self.under_way -= 1
        return done

    def wake(self) -> None:
        """Let `next_done` return; may be called from a signal handler."""
        self._done.put(None)

    def cancel(self) -> list[W]:
        """Take back all work that no thread has begun."""
        taken: list[W] = []
        for waiting in self._waiting:
            with suppress(Empty):
                while (work := waiting.get_nowait()) is not None:
                    taken.append(work)
        self.under_way -= len(taken)
        return taken

    def close(self) -> None:
        """Send the threads home, each when it is done with what it is at."""
        self.cancel()
        for waiting, started in zip(self._waiting, self._started, strict=True):
            for _ in range(started):
                waiting.put(None)

    def _serve(self, lane: int) -> None:
        while (work := self._waiting[lane].get()) is not None:
            try:
                self._do(work)
                self._done.put(Done(work))
            except Exception as error:  # The one who waits decides what it means.
                self._done.put(Done(work, error))
