"""What is left to undo for entries that are gone: it outlives them, and any process.

A row is written in the transaction that removes the entry, so that a subscription at a producer is
ended whatever happens in between.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, bindparam, delete, insert, select

from aggregator.model import Plan
from aggregator.store.chunks import chunks
from aggregator.store.collection import SHARDS, Assignment
from aggregator.store.consumer_tables import releases
from aggregator.store.statement import Statement
from aggregator.store.tables import entries, entry_health, entry_state, groups
from aggregator.store.write import Write

_COPIED = (
    "entry_id", "group_id", "key", "member", "address", "config", "plan", "memory", "slot", "at",
)  # fmt: skip
_NOTE = insert(releases).from_select(
    list(_COPIED),
    select(
        entries.c.id,
        entries.c.group_id,
        entry_state.c.key,
        entries.c.member,
        entries.c.address,
        entries.c.config,
        entries.c.plan,
        entry_health.c.memory,
        entry_state.c.slot,
        bindparam("now", type_=entries.c.added.type),
    )
    .join(entry_state, entry_state.c.entry_id == entries.c.id)
    .join(entry_health, entry_health.c.entry_id == entries.c.id)
    .where(entries.c.id.in_(bindparam("ids", expanding=True)), entries.c.established != 0),
)
_LEFT = (
    select(releases.c.id, groups.c.name, *(releases.c[name] for name in _COPIED))
    .join(groups, groups.c.id == releases.c.group_id)
    .where(
        (releases.c.slot % bindparam("of")).in_(bindparam("shards", expanding=True)),
        releases.c.id > bindparam("after"),
    )
    .order_by(releases.c.id)
    .limit(bindparam("most"))
)
DONE = Statement(delete(releases).where(releases.c.id == bindparam("release")))


def note_releases(write: Write, ids: Sequence[int]) -> None:
    """Keep what is needed to undo what was set up for entries; call it before they go."""
    for chunk in chunks(ids):
        write.connection.execute(_NOTE, {"ids": chunk, "now": write.now})


def left_to_release(
    connection: Connection,
    shards: Collection[int],
    *,
    limit: int,
    after: int = 0,
    of: int = SHARDS,
) -> list[tuple[int, int, Assignment]]:
    """What is left to undo in these shards, oldest first, at most `limit` after a number.

    Each with its number and the instant at which the entry went.
    """
    found = []
    asked = {"shards": sorted(shards), "most": limit, "after": after, "of": of}
    for row in connection.execute(_LEFT, asked):
        number, group, entry, group_id, key, member, address, config, plan, memory, slot, at = row
        assignment = Assignment(
            id=entry,
            group=group,
            group_id=group_id,
            key=key,
            member=member,
            address=address,
            config=config,
            plan=Plan.loads(plan),
            sink_plans={},
            memory=json.loads(memory),
            shard=slot % of,
            termination=at,
            due=None,
            last_attempt=None,
            last_success=None,
            consecutive_failures=0,
            version=0,
        )
        found.append((number, at, assignment))
    return found


def released(write: Write, number: int) -> None:
    """Forget what was undone, or is given up."""
    write.run(DONE, release=number)
