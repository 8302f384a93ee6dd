"""ActionsFiredCount: how many actions rules of a group's entries asked for, and at what rates.

The rule is that of RegistrationCount (``accumulators``). Only who holds the lease on an entry's
shard counts, in the transaction in which its rule fires, so that a row for each group suffices.
"""

from __future__ import annotations

from math import exp

from sqlalchemy import Connection, bindparam, delete, select

from aggregator.store.accumulators import DECAYS, STARTED, Accumulator, summed
from aggregator.store.statement import Statement
from aggregator.store.trigger_tables import action_counts
from aggregator.store.upsert import or_replace
from aggregator.store.write import Write

_COUNTED = select(
    action_counts.c.total,
    action_counts.c.last_change,
    action_counts.c.calculated,
    action_counts.c.minute_rate,
    action_counts.c.hour_rate,
    action_counts.c.day_rate,
).where(action_counts.c.group_id == bindparam("group"))
READ = Statement(_COUNTED)
TAKE = Statement(_COUNTED.with_for_update())
STORE = Statement(or_replace(action_counts))
FORGET_ALL = Statement(delete(action_counts))


def count_fired(write: Write, group_id: int, n: int) -> None:
    """Count `n` firings of a group's rules."""
    rows = TAKE.rows(write.connection, group=group_id)
    rates = [
        rate + n * (1 - exp(-1 / decay))
        for rate, decay in zip(summed(rows, write.now), DECAYS, strict=True)
    ]
    write.run(
        STORE,
        group_id=group_id,
        total=sum(row[0] for row in rows) + n,
        last_change=write.now,
        calculated=write.now,
        minute_rate=rates[0],
        hour_rate=rates[1],
        day_rate=rates[2],
    )


def read_fired(connection: Connection, group_id: int, now: int) -> Accumulator:
    """The group's ActionsFiredCount as of `now`."""
    rows = READ.rows(connection, group=group_id)
    started = STARTED.row(connection)
    start = started[0] if started else now
    last_change = max((row[1] for row in rows if row[1] is not None), default=start)
    rates = zip(summed(rows, now), DECAYS, strict=True)
    return Accumulator(start, last_change, sum(row[0] for row in rows), tuple(rates))


def reset_fired(write: Write) -> None:
    """Begin all counts anew."""
    write.run(FORGET_ALL)
