"""How far each stream has come, who sends it, and which rows it had to pass over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, update

from aggregator.store.stream_storages import Storage, last_row, lock_making
from aggregator.store.stream_tables import positions, set_aside
from aggregator.store.write import Write

#: Where a stream begins: with the oldest row that is kept, with what is stored from now on, or
#: after the row of a number.
Start = Literal["oldest", "now"] | int


@dataclass(frozen=True, slots=True)
class Position:
    """How far a stream has come, see the table; `epoch` says whose turn it is to send it."""

    table_key: str
    name: str
    epoch: int
    position: int
    pending: int | None


@dataclass(frozen=True, slots=True)
class SetAside:
    """A row that a stream passed over, at an instant of `do_updates`, and why."""

    row: int
    at: float
    reason: str


def _is(table_key: str, name: str) -> ColumnElement[bool]:
    return and_(positions.c.table_key == table_key, positions.c.name == name)


def take_stream(
    write: Write, storage: Storage, name: str, *, start: Start | None, condition: str
) -> Position:
    """Send a stream from now on: whoever did so before finds out when it next writes.

    One that was running goes on where it was, and sends again what it may have sent, unless its
    condition is another one now. One that was stopped does so too, but where `start` is given
    begins there; a new one begins there, or with the oldest row.
    """
    lock_making(write)
    chosen = _is(storage.key, name)
    taken = update(positions).where(chosen).values(epoch=positions.c.epoch + 1)
    write.connection.execute(taken)
    found = write.connection.execute(select(positions).where(chosen)).one_or_none()
    if found is None:
        position, pending, epoch = _beginning(write.connection, storage, start or "oldest"), None, 1
        made = {"table_key": storage.key, "name": name, "running": 1, "epoch": 1}
        made |= {"position": position, "pending": None, "condition": condition}
        write.connection.execute(insert(positions).values(made))
        return Position(storage.key, name, epoch, position, pending)
    position, pending = found.position, found.pending
    if not found.running and start is not None:
        position, pending = _beginning(write.connection, storage, start), None
    if found.condition != condition:
        pending = None
    write.connection.execute(
        update(positions)
        .where(chosen)
        .values(running=1, position=position, pending=pending, condition=condition)
    )
    return Position(storage.key, name, found.epoch, position, pending)


def retake_stream(write: Write, at: Position, *, doubts: int, condition: str) -> Position | None:
    """Send a stream again that this process may have taken so many times without hearing of it.

    It goes on where this process knows it to be; None where somebody else sends or has ended it.
    """
    write.wrote = True
    mine = positions.c.epoch.between(at.epoch, at.epoch + doubts)
    epoch = at.epoch + doubts + 1
    retaken = write.connection.execute(
        update(positions)
        .where(_is(at.table_key, at.name), positions.c.running == 1, mine)
        .values(epoch=epoch, position=at.position, pending=at.pending, condition=condition)
    ).rowcount
    return replace(at, epoch=epoch) if retaken else None


def _beginning(connection: Connection, storage: Storage, start: Start) -> int:
    """The number of the row after which a stream begins."""
    if start == "oldest":
        return 0
    return last_row(connection, storage) if start == "now" else start


def move_stream(write: Write, to: Position, *, passed_over: SetAside | None = None) -> bool:
    """Note how far a stream has come; False where somebody else sends it now."""
    write.wrote = True
    moved = write.connection.execute(
        update(positions)
        .where(_is(to.table_key, to.name), positions.c.epoch == to.epoch)
        .values(position=to.position, pending=to.pending)
    ).rowcount
    if moved and passed_over is not None:
        of = {"table_key": to.table_key, "name": to.name, "stream_row": passed_over.row}
        told = {"at": passed_over.at, "reason": passed_over.reason}
        known = and_(*(set_aside.c[column] == value for column, value in of.items()))
        write.connection.execute(delete(set_aside).where(known))
        write.connection.execute(insert(set_aside).values(of | told))
    return bool(moved)


def end_stream(write: Write, table_key: str, name: str, *, epoch: int | None) -> bool:
    """Note that a stream was stopped; False where there is none that runs.

    With an `epoch`, only where nobody else sends it now.
    """
    write.wrote = True
    chosen = and_(_is(table_key, name), positions.c.running == 1)
    if epoch is not None:
        chosen = and_(chosen, positions.c.epoch == epoch)
    ended = update(positions).where(chosen).values(running=0, epoch=positions.c.epoch + 1)
    return bool(write.connection.execute(ended).rowcount)


def sent_by_all(connection: Connection, storage: Storage) -> int | None:
    """The number up to which all streams that run have sent a storage's rows; None without any."""
    asked = select(func.min(positions.c.position)).where(
        positions.c.table_key == storage.key, positions.c.running == 1
    )
    found = connection.execute(asked).scalar()
    return None if found is None else int(found)


def set_aside_rows(connection: Connection, table_key: str, name: str) -> list[SetAside]:
    """The rows that a stream passed over, oldest first."""
    asked = (
        select(set_aside.c.stream_row, set_aside.c.at, set_aside.c.reason)
        .where(set_aside.c.table_key == table_key, set_aside.c.name == name)
        .order_by(set_aside.c.stream_row)
    )
    return [SetAside(*row) for row in connection.execute(asked)]


def forget_set_aside(write: Write, table_key: str, rows: Sequence[int]) -> None:
    """Forget what was passed over of rows, in their order, that are removed."""
    of_table = set_aside.c.table_key == table_key
    number = set_aside.c.stream_row
    asked = select(number).where(of_table, number.between(rows[0], rows[-1]))
    for found in set(write.connection.execute(asked).scalars()) & set(rows):
        write.connection.execute(delete(set_aside).where(of_table, number == found))
