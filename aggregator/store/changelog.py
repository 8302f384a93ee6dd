"""Keeping the log of changes short."""

from __future__ import annotations

from itertools import takewhile

from sqlalchemy import bindparam, delete, select

from aggregator.store.groups import PRUNED_TO
from aggregator.store.statement import Statement
from aggregator.store.tables import changes
from aggregator.store.write import Write

OLDEST = Statement(
    select(changes.c.sequence, changes.c.at)
    .where(changes.c.group_id == bindparam("group"), changes.c.sequence > bindparam("after"))
    .order_by(changes.c.sequence)
    .limit(bindparam("most"))
)
PRUNE = Statement(
    delete(changes).where(
        changes.c.group_id == bindparam("group"), changes.c.sequence <= bindparam("last")
    )
)


def prune_changes(write: Write, older_than: int, limit: int) -> int:
    """Remove changes made before the instant `older_than`, oldest first; how many it were.

    At most `limit` of each group. Readers that have not seen them will load their group anew.
    """
    removed = 0
    for group_id, pruned_to in PRUNED_TO.rows(write.connection):
        oldest = OLDEST.rows(write.connection, group=group_id, after=pruned_to, most=limit)
        old = [row[0] for row in takewhile(lambda row: row[1] < older_than, oldest)]
        if old:
            removed += write.run(PRUNE, group=group_id, last=old[-1])
            write.pruned(group_id, old[-1])
    return removed
