"""RegistrationCount: how many registrations were asked for, and at what rates of late.

The rule is that of MDS4's metrics:accumulator. With ``dt`` seconds since the last calculation and
a decay of ``d`` seconds, ``n`` new events make ``rate * exp(-dt/d) + n * (1 - exp(-1/d))``. It is
linear, so that every process may keep a row of its own, and the sum of the rows, each carried on
to the same instant, is what one row for all would show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from typing import TypedDict

from sqlalchemy import Connection, bindparam, delete, select

from aggregator.store.statement import Row, Statement
from aggregator.store.tables import accumulators, service
from aggregator.store.upsert import or_replace
from aggregator.store.write import Write

#: Seconds over which each of the published rates decays.
DECAYS = (60, 3600, 86400)

_RATES = (
    accumulators.c.minute_rate,
    accumulators.c.hour_rate,
    accumulators.c.day_rate,
)


class Shown(TypedDict):
    """The parts of an accumulator by their names."""

    start: int
    last_change: int
    total: int
    rates: tuple[tuple[float, int], ...]


@dataclass(frozen=True, slots=True)
class Accumulator:
    """metrics:accumulator; `rates` are (events per second, decay in seconds).

    `last_change` is the instant of the last event, or `start` while there was none.
    """

    start: int
    last_change: int
    total: int
    rates: tuple[tuple[float, int], ...]

    def shown(self) -> Shown:
        """What the property that shows it is written of."""
        return {
            "start": self.start,
            "last_change": self.last_change,
            "total": self.total,
            "rates": self.rates,
        }


_of_group = (
    accumulators.c.total,
    accumulators.c.last_change,
    accumulators.c.calculated,
    *_RATES,
)
OF_PROCESS = Statement(
    select(*_of_group).where(
        accumulators.c.group_id == bindparam("group"), accumulators.c.process == bindparam("of")
    )
)
OF_GROUP = Statement(select(*_of_group).where(accumulators.c.group_id == bindparam("group")))
GROUPS_OF = Statement(
    select(accumulators.c.group_id).where(accumulators.c.process == bindparam("of"))
)
FORGET = Statement(delete(accumulators).where(accumulators.c.process == bindparam("of")))
FORGET_ALL = Statement(delete(accumulators))
STARTED = Statement(select(service.c.started))

STORE = Statement(or_replace(accumulators))


def accumulate(write: Write, group_id: int, process: str, n: int) -> None:
    """Count `n` registrations that `process` was asked for."""
    write.accumulate(group_id, process, n)


def read_accumulator(connection: Connection, group_id: int, now: int) -> Accumulator:
    """The group's accumulator as of `now`, over all processes."""
    rows = OF_GROUP.rows(connection, group=group_id)
    started = STARTED.row(connection)
    start = started[0] if started else now
    last_change = max((row[1] for row in rows if row[1] is not None), default=start)
    rates = summed(rows, now)
    return Accumulator(
        start, last_change, sum(row[0] for row in rows), tuple(zip(rates, DECAYS, strict=True))
    )


def write_accumulated(write: Write) -> None:
    """Write what the transaction's units accumulated."""
    for (group_id, process), n in sorted(write.tally.accumulated.items()):
        rows = OF_PROCESS.rows(write.connection, group=group_id, of=process)
        _store(write, group_id, process, rows, n)


def fold(write: Write, process: str) -> None:
    """Move what an ended process counted to the row that all ended ones share."""
    for (group_id,) in GROUPS_OF.rows(write.connection, of=process):
        rows = [
            row
            for name in ("", process)
            for row in OF_PROCESS.rows(write.connection, group=group_id, of=name)
        ]
        _store(write, group_id, "", rows, 0)
    write.run(FORGET, of=process)


def reset(write: Write) -> None:
    """Begin all counts anew."""
    write.run(FORGET_ALL)


def _store(write: Write, group_id: int, process: str, rows: Sequence[Row], n: int) -> None:
    """Store in the row of `process` the sum of `rows` and `n` events that happened now."""
    rates = [
        rate + n * (1 - exp(-1 / decay))
        for rate, decay in zip(summed(rows, write.now), DECAYS, strict=True)
    ]
    changed = [row[1] for row in rows if row[1] is not None] + ([write.now] if n else [])
    write.run(
        STORE,
        group_id=group_id,
        process=process,
        total=sum(row[0] for row in rows) + n,
        last_change=max(changed, default=None),
        calculated=write.now,
        minute_rate=rates[0],
        hour_rate=rates[1],
        day_rate=rates[2],
    )


def summed(rows: Sequence[Row], now: int) -> list[float]:
    """The rates of all rows together, each carried on from its own calculation to `now`."""
    return [
        sum(row[3 + place] * exp(-max(0, now - row[2]) / 1e6 / decay) for row in rows)
        for place, decay in enumerate(DECAYS)
    ]
