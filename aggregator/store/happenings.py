"""What the service is to tell of itself beside its groups' changes: written with what happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from aggregator.store.chunks import chunks
from aggregator.store.event_tables import containers, happenings
from aggregator.store.statement import Statement
from aggregator.store.upsert import or_replace
from aggregator.store.write import Write

NOTE = Statement(
    insert(happenings).values(
        at=bindparam("now"),
        kind=bindparam("what"),
        group_id=bindparam("group"),
        key=bindparam("of"),
        detail=bindparam("said"),
    )
)
WAITING = Statement(select(happenings).order_by(happenings.c.id).limit(bindparam("most")))
_TOLD = (
    delete(happenings)
    .where(happenings.c.id.in_(bindparam("ids", expanding=True)))
    .returning(happenings.c.id)
)
ALL = Statement(delete(happenings))
OLD = Statement(delete(happenings).where(happenings.c.at < bindparam("before")))
LAST = Statement(select(func.max(happenings.c.id)))
SURPLUS = Statement(delete(happenings).where(happenings.c.id <= bindparam("floor")))
TOLD_OF = Statement(select(containers.c.started).where(containers.c.name == bindparam("of")))
ENTER = Statement(or_replace(containers))
LEAVE = Statement(delete(containers).where(containers.c.name == bindparam("of")))


class Happening(NamedTuple):
    """Something to tell: a subscription or the service, what became of it and when."""

    id: int
    at: int
    kind: str
    group_id: int
    key: str
    detail: str


def note_happening(
    write: Write, kind: str, *, key: str, group_id: int = 0, detail: str = ""
) -> None:
    """Note what is to be told once this transaction is committed."""
    write.run(NOTE, now=write.now, what=kind, group=group_id, of=key, said=detail)


def waiting_happenings(connection: Connection, *, most: int) -> list[Happening]:
    """What is to be told, oldest first."""
    return [Happening(*row) for row in WAITING.rows(connection, most=most)]


def told_happenings(write: Write, ids: Sequence[int]) -> set[int]:
    """Forget what was told, or is with this transaction; those of them that nobody else did."""
    write.wrote = True
    return {
        row[0] for chunk in chunks(ids) for row in write.connection.execute(_TOLD, {"ids": chunk})
    }


def forget_happenings(write: Write) -> int:
    """Forget all that is to be told; how many it were."""
    return write.run(ALL)


def prune_happenings(write: Write, *, before: int, longest: int) -> int:
    """Drop what is from before an instant, and all but about the last `longest`; how many."""
    row = LAST.row(write.connection)
    floor = (int(row[0]) if row and row[0] is not None else 0) - longest
    return write.run(OLD, before=before) + write.run(SURPLUS, floor=floor)


def note_start(write: Write, container: str, *, started: int, address: str) -> bool:
    """Note that the service was started on a host, if that was not told yet; whether it was not.

    A collector that is started anew while the rest of the service runs on is no start of it:
    `started` is the same then. `address` is where clients reach it.
    """
    told = TOLD_OF.row(write.connection, of=container)
    if told is not None and told[0] == started:
        return False
    write.run(ENTER, name=container, started=started)
    note_happening(write, "started", key=container, detail=address)
    return True


def note_stop(write: Write, container: str, *, address: str) -> None:
    """Note that the service was stopped on a host."""
    write.run(LEAVE, of=container)
    note_happening(write, "stopped", key=container, detail=address)
