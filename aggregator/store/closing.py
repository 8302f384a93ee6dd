"""The last statements of a transaction: sequences are drawn, and what was tallied is written.

A reader asks for "all after the last sequence that I saw", so sequences must become visible in
order. A sequence of the database would show 2 before 1 where the transaction of 1 commits later.
Here a transaction draws its sequences by updating the group's row: whoever comes second waits
until the first has committed. As this comes last, and in order of group id, the row is held no
longer than the commit takes, and two transactions never wait for each other in a ring. The sequence
of events that are published is drawn in the same way, after those of the groups.
"""

from __future__ import annotations

from sqlalchemy import bindparam, case, update

from aggregator.store.accumulators import write_accumulated
from aggregator.store.counting import check_limits, write_owners
from aggregator.store.event_log import write_events
from aggregator.store.many_rows import inserting
from aggregator.store.outbox import write_notices
from aggregator.store.statement import Statement
from aggregator.store.tables import changes, groups
from aggregator.store.write import Write

_pruned_to = bindparam("pruned_to", type_=groups.c.pruned_to.type)

DRAW = Statement(
    update(groups)
    .where(groups.c.id == bindparam("group"))
    .values(
        sequence=groups.c.sequence + bindparam("drawn"),
        entries=groups.c.entries + bindparam("difference"),
        subscribers=groups.c.subscribers + bindparam("joined"),
        subscribed=groups.c.subscribed + bindparam("touched"),
        pruned_to=case((_pruned_to > groups.c.pruned_to, _pruned_to), else_=groups.c.pruned_to),
    )
    .returning(groups.c.sequence, groups.c.subscribers)
)
LOG = inserting(changes)


def close_transaction(write: Write) -> None:
    """Write what the transaction's units tallied."""
    tally = write.tally
    write_accumulated(write)
    log: list[tuple[object, ...]] = []
    told: list[tuple[int, int, int, int, str]] = []
    for group_id in sorted({*tally.changes, *tally.entries, *tally.pruned_to, *tally.joined}):
        made = tally.changes.get(group_id, [])
        [(last, subscribers)] = write.rows(
            DRAW,
            group=group_id,
            drawn=len(made),
            difference=tally.entries.get(group_id, 0),
            pruned_to=tally.pruned_to.get(group_id, 0),
            joined=tally.joined.get(group_id, 0),
            touched=int(group_id in tally.joined),
        )
        # Who subscribes in this very transaction is told of what comes after it.
        was_subscribed = subscribers > 0 and subscribers > tally.joined.get(group_id, 0)
        for mark, values in tally.marks.get(group_id, ()):
            write.run(mark, **values, reached=last)
        for sequence, (entry, at, kind) in enumerate(made, last - len(made) + 1):
            log.append((group_id, sequence, at, entry, kind))
            if was_subscribed:
                told.append((group_id, sequence, at, entry, kind))
    write_owners(write)
    check_limits(write)
    if log:
        write.insert(LOG, log)
    if told:
        write_notices(write, told)
    if tally.events:
        write_events(write)
