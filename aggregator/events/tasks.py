"""Tasks that publish an event again and again: what they are, and where they are kept."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import Protocol

from aggregator.errors import TaskRefused

#: Microseconds of a second and of a millisecond.
SECOND, MILLISECOND = 1_000_000, 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task. `interval`, `next_due` and `ends` are microseconds of the store's time, which goes
    on steadily; `ends` None is never. `payload` is an encoded message, empty for none.
    """

    id: str
    origin: str
    interval: int
    next_due: int
    ends: int | None = None
    payload: bytes = b""

    def following(self, now: int) -> int | None:
        """When the task is due next, after a turn that is taken now; None if it ends before.

        Turns that were missed are not made up for.
        """
        later = self.next_due + self.interval * ((now - self.next_due) // self.interval + 1)
        return None if self.ends is not None and later > self.ends else later


class Tasks(Protocol):
    """Where tasks are kept; each method raises StoreUnavailable where that is away."""

    def now(self) -> int:
        """The present instant, in microseconds of the store's time."""

    def ahead(self) -> int:
        """How far the time of day is ahead of `now`, in microseconds."""

    def add(self, task: Task, *, most: int) -> bool:
        """Keep a task; False where there is one of its id. Raises TaskRefused where there are
        `most` tasks.
        """

    def remove(self, task_id: str) -> bool:
        """Remove a task; False where there was none."""

    def find(self, task_id: str) -> Task | None:
        """The task of this id."""

    def all(self) -> list[Task]:
        """All tasks."""

    def move(self, task_id: str, *, due: int, later: int | None) -> bool:
        """Take the turn that is due at `due`; the next is `later`, without one the task is gone.

        False where somebody else took it: of all that try, one is told True.
        """


class MemoryTasks:
    """Tasks of this process alone, which end with it."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._tasks: dict[str, Task] = {}

    def now(self) -> int:
        """See Tasks; steady since this process began."""
        return _BEGAN + time.monotonic_ns() // 1000

    def ahead(self) -> int:
        """See Tasks."""
        return time.time_ns() // 1000 - self.now()

    def add(self, task: Task, *, most: int) -> bool:
        """See Tasks."""
        with self._changing:
            if task.id in self._tasks:
                return False
            if len(self._tasks) >= most:
                raise TaskRefused(f"there are {most} tasks; no more are kept")
            self._tasks[task.id] = task
            return True

    def remove(self, task_id: str) -> bool:
        """See Tasks."""
        with self._changing:
            return self._tasks.pop(task_id, None) is not None

    def find(self, task_id: str) -> Task | None:
        """See Tasks."""
        return self._tasks.get(task_id)

    def all(self) -> list[Task]:
        """See Tasks."""
        with self._changing:
            return list(self._tasks.values())

    def move(self, task_id: str, *, due: int, later: int | None) -> bool:
        """See Tasks."""
        with self._changing:
            task = self._tasks.get(task_id)
            if task is None or task.next_due != due:
                return False
            if later is None:
                del self._tasks[task_id]
            else:
                self._tasks[task_id] = replace(task, next_due=later)
            return True


_BEGAN = time.time_ns() // 1000 - time.monotonic_ns() // 1000
