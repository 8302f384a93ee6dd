"""Tasks that publish an event again and again: kept, taken turns of, removed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, func, select, update

from aggregator.store.statement import Row, Statement
from aggregator.store.tables import tasks
from aggregator.store.upsert import or_nothing
from aggregator.store.write import Write


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """A task. Instants and the interval are in microseconds of the store's time; `ends` None is
    never. `payload` is an encoded message, empty for none.
    """

    id: str
    origin: str
    interval: int
    next_due: int
    ends: int | None
    payload: bytes


_COLUMNS = (
    tasks.c.id,
    tasks.c.origin,
    tasks.c.interval,
    tasks.c.next_due,
    tasks.c.ends,
    tasks.c.payload,
)
ADD = Statement(or_nothing(tasks))
COUNT = Statement(select(func.count()).select_from(tasks))
REMOVE = Statement(delete(tasks).where(tasks.c.id == bindparam("of")))
ALL = Statement(select(*_COLUMNS).order_by(tasks.c.next_due, tasks.c.id))
ONE = Statement(select(*_COLUMNS).where(tasks.c.id == bindparam("of")))
# Of several processes that saw the same instant, one moves it.
MOVE = Statement(
    update(tasks)
    .where(tasks.c.id == bindparam("of"), tasks.c.next_due == bindparam("due"))
    .values(next_due=bindparam("later"))
)
REMOVE_DUE = Statement(
    delete(tasks).where(tasks.c.id == bindparam("of"), tasks.c.next_due == bindparam("due"))
)


def add_task(write: Write, task: TaskRow) -> bool:
    """Keep a task; False where there is one of its id already."""
    return (
        write.run(
            ADD,
            id=task.id,
            origin=task.origin,
            interval=task.interval,
            next_due=task.next_due,
            ends=task.ends,
            payload=task.payload,
        )
        == 1
    )


def count_tasks(connection: Connection) -> int:
    """How many there are."""
    row = COUNT.row(connection)
    return int(row[0]) if row else 0


def remove_task(write: Write, task_id: str) -> bool:
    """Remove a task; False where there was none."""
    return write.run(REMOVE, of=task_id) == 1


def find_tasks(connection: Connection) -> list[TaskRow]:
    """All tasks, those that are due first in front."""
    return [_task(row) for row in ALL.rows(connection)]


def find_task(connection: Connection, task_id: str) -> TaskRow | None:
    """The task of this id, None where there is none."""
    row = ONE.row(connection, of=task_id)
    return None if row is None else _task(row)


def move_task(write: Write, task_id: str, *, due: int, later: int | None) -> bool:
    """Take the turn that is due at `due`: the next one is `later`, without one the task is gone.

    False where somebody else took it, or the task was removed.
    """
    if later is None:
        return write.run(REMOVE_DUE, of=task_id, due=due) == 1
    return write.run(MOVE, of=task_id, due=due, later=later) == 1


def _task(row: Row) -> TaskRow:
    task_id, origin, interval, next_due, ends, payload = row
    return TaskRow(
        id=task_id,
        origin=origin,
        interval=interval,
        next_due=next_due,
        ends=ends,
        payload=bytes(payload),
    )
