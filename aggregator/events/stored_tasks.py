"""Tasks in the project's store: processes that share it share the tasks."""

from __future__ import annotations

from dataclasses import asdict, fields

from aggregator.errors import TaskRefused
from aggregator.events.tasks import Task
from aggregator.store.engine import Store
from aggregator.store.tasks import (
    TaskRow,
    add_task,
    count_tasks,
    find_task,
    find_tasks,
    move_task,
    remove_task,
)
from aggregator.store.write import Write


class StoreTasks:
    """Tasks of all processes that have the same store; of a turn one of them takes it.

    The store is one that was migrated (`aggregator.store.migrate`); it stays the caller's to
    close.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def now(self) -> int:
        """See Tasks."""
        return self._store.clock.now()

    def ahead(self) -> int:
        """See Tasks."""
        return self._store.clock.ahead()

    def add(self, task: Task, *, most: int) -> bool:
        """See Tasks."""

        def unit(write: Write) -> bool | None:
            if find_task(write.connection, task.id) is not None:
                return False
            if count_tasks(write.connection) >= most:
                return None
            return add_task(write, TaskRow(**asdict(task)))

        added = self._store.writer.run(unit)
        if added is None:
            raise TaskRefused(f"there are {most} tasks; no more are kept")
        return added

    def remove(self, task_id: str) -> bool:
        """See Tasks."""
        return self._store.writer.run(lambda write: remove_task(write, task_id))

    def find(self, task_id: str) -> Task | None:
        """See Tasks."""
        row = self._store.query(lambda connection: find_task(connection, task_id))
        return None if row is None else _task(row)

    def all(self) -> list[Task]:
        """See Tasks."""
        return [_task(row) for row in self._store.query(find_tasks)]

    def move(self, task_id: str, *, due: int, later: int | None) -> bool:
        """See Tasks."""
        return self._store.writer.run(lambda write: move_task(write, task_id, due=due, later=later))


def _task(row: TaskRow) -> Task:
    return Task(**{one.name: getattr(row, one.name) for one in fields(TaskRow)})
