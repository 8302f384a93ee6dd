"""Where the store's time is written down: it must go on where it was after a restart or a boot."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sqlalchemy import Connection, bindparam, select, update

from aggregator.store.clock import StoreClock, steady, wall_ahead
from aggregator.store.statement import Statement
from aggregator.store.tables import clock
from aggregator.store.upsert import or_nothing, or_replace
from aggregator.store.write import Write

FIND = Statement(select(clock.c.boot, clock.c.distance, clock.c.ahead, clock.c.seen))
ENTER = Statement(or_replace(clock))
ENTER_FIRST = Statement(or_nothing(clock))
KEEP = Statement(
    update(clock).where(clock.c.id == 1).values(ahead=bindparam("now_ahead"), seen=bindparam("at"))
)
# Of two collectors that saw the same, one takes note of it.
SET_FORWARD = Statement(
    update(clock)
    .where(clock.c.id == 1, clock.c.ahead == bindparam("known"))
    .values(ahead=bindparam("found"))
)


def anchored(connection: Connection) -> int | None:
    """The distance of the embedded database's time to this host's steady clock, as of this boot."""
    row = FIND.row(connection)
    return None if row is None or row[0] != _boot() else int(row[1])


def settle(connection: Connection, *, embedded: bool) -> None:
    """Write the clock's row where there is none, or none of this boot.

    After a boot the time goes on from the time of day, but not from before what was last seen:
    some hosts know the time only after a while.
    """
    if not embedded:
        ENTER_FIRST.run(connection, id=1, boot="", distance=0, ahead=0, seen=0)
        return
    row = FIND.row(connection)
    if row is not None and row[0] == _boot():
        return
    ahead, seen = (row[2], row[3]) if row is not None else (0, 0)
    now = steady()
    distance = max(wall_ahead() - ahead, seen - now)
    ENTER.run(connection, id=1, boot=_boot(), distance=distance, ahead=ahead, seen=seen)


def keep(write: Write, known: StoreClock) -> None:
    """Write down how far an embedded database's time has come, for the next boot."""
    write.run(KEEP, now_ahead=known.ahead(), at=write.now)


def set_forward(write: Write, by: int, *, known: int) -> None:
    """Take note that a server's clock was set forward by `by` from what was `known`."""
    write.run(SET_FORWARD, known=known, found=known + by)


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
