"""Updates that aggregators push: kept for a while in the order of their sequence."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from aggregator.store.report_feeding import holds
from aggregator.store.report_tables import report_sequence, report_updates
from aggregator.store.statement import Statement
from aggregator.store.write import Write
from aggregator.wire.text import plain_text

DRAW = Statement(
    update(report_sequence)
    .values(last=report_sequence.c.last + 1)
    .returning(report_sequence.c.last)
)
LAST = Statement(select(report_sequence.c.last))
APPEND = Statement(insert(report_updates))
FIRST = Statement(select(func.min(report_updates.c.sequence)))
AFTER = Statement(
    select(
        report_updates.c.sequence,
        report_updates.c.at,
        report_updates.c.aggregator,
        report_updates.c.type,
        report_updates.c.kind,
        report_updates.c.data,
    )
    .where(
        report_updates.c.sequence > bindparam("after"),
        report_updates.c.sequence <= bindparam("upto"),
    )
    .order_by(report_updates.c.sequence)
)
SIZES = Statement(
    select(report_updates.c.sequence, report_updates.c.size)
    .where(report_updates.c.sequence > bindparam("after"))
    .order_by(report_updates.c.sequence)
    .limit(bindparam("most"))
)
NEWEST = Statement(
    select(report_updates.c.sequence, report_updates.c.size)
    .order_by(report_updates.c.sequence.desc())
    .limit(bindparam("most"))
)
PRUNE = Statement(delete(report_updates).where(report_updates.c.sequence <= bindparam("floor")))


class Update(NamedTuple):
    """An update as it was pushed; `at` is an instant, ``kind`` bytes, text or json."""

    sequence: int
    at: int
    aggregator: str
    type: str
    kind: str
    data: bytes


def append_update(
    write: Write, *, aggregator: str, type: str, kind: str, data: bytes, holder: str, epoch: int
) -> bool:
    """Push an update; False, and it is not, where the lease is another's."""
    if not holds(write, holder=holder, epoch=epoch):
        return False
    # The row is locked until the commit, so that sequences become visible in their order.
    [(sequence,)] = write.rows(DRAW)
    write.run(
        APPEND,
        sequence=sequence,
        at=write.now,
        aggregator=aggregator,
        type=plain_text(type),
        kind=kind,
        size=len(data),
        data=data,
    )
    return True


def update_bounds(connection: Connection) -> tuple[int, int]:
    """The sequence of the last update that was pushed, and that of the oldest that is kept: one
    more than the last where none is."""
    oldest = FIRST.row(connection)
    row = LAST.row(connection)
    last = int(row[0]) if row else 0
    return last, int(oldest[0]) if oldest and oldest[0] is not None else last + 1


def updates_after(connection: Connection, sequence: int, *, most: int, size: int) -> list[Update]:
    """The next updates after a sequence, at most `most` and with at most `size` bytes, but one."""
    upto, room = sequence, size
    for number, bytes_of in SIZES.rows(connection, after=sequence, most=most):
        if upto > sequence and bytes_of > room:
            break
        upto, room = number, room - bytes_of
    return [Update(*row) for row in AFTER.rows(connection, after=sequence, upto=upto)]


def prune_updates(write: Write, *, most: int, size: int) -> int:
    """Drop the oldest updates beyond `most`, and beyond `size` bytes of those that are left; the
    last one stays. How many were dropped."""
    room = size
    floor = 0
    newest = NEWEST.rows(write.connection, most=most + 1)
    for place, (number, bytes_of) in enumerate(newest):
        room -= bytes_of
        if place and (place >= most or room < 0):
            floor = number
            break
    return write.run(PRUNE, floor=floor) if floor else 0
