"""What collectors read: which entries are to be collected, how, and what they remember."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Select, bindparam, select

from aggregator.model import Plan
from aggregator.store.changelog import prune_changes
from aggregator.store.outcomes import Outcome, record_outcomes
from aggregator.store.statement import Row
from aggregator.store.tables import entries, entry_health, entry_state, groups

__all__ = [
    "Assignment",
    "Outcome",
    "load_assignment",
    "load_assignments",
    "prune_changes",
    "record_outcomes",
]

#: Into how many shards the entries are divided unless the settings say otherwise.
SHARDS = 64


@dataclass(frozen=True, slots=True)
class Assignment:
    """An entry as its collector needs it; `member` is the serialised MemberEPR.

    `due` is when the first collection was wanted, `memory` what earlier ones remembered.
    """

    id: int
    group: str
    group_id: int
    key: str
    member: bytes
    address: str
    config: bytes
    plan: Plan
    sink_plans: Mapping[str, Plan]
    memory: Mapping[str, str]
    shard: int
    termination: int | None
    due: int | None
    last_attempt: int | None
    last_success: int | None
    consecutive_failures: int
    version: int


def _select() -> Select[Row]:
    return (
        select(
            entries.c.id,
            groups.c.name,
            entries.c.group_id,
            entry_state.c.key,
            entries.c.member,
            entries.c.address,
            entries.c.config,
            entries.c.plan,
            entries.c.sink_plans,
            entry_health.c.memory,
            entry_state.c.slot,
            entry_state.c.termination,
            entry_state.c.due,
            entry_health.c.last_attempt,
            entry_health.c.last_success,
            entry_health.c.failures,
            entry_state.c.version + entry_health.c.version,
        )
        .select_from(entries)
        .join(groups, groups.c.id == entries.c.group_id)
        .join(entry_state, entry_state.c.entry_id == entries.c.id)
        .join(entry_health, entry_health.c.entry_id == entries.c.id)
        .where(entries.c.plan != "")
    )


_ONE = _select().where(entries.c.id == bindparam("entry"))
_PAGE = (
    _select()
    .where(entries.c.id > bindparam("after"))
    .order_by(entries.c.id)
    .limit(bindparam("most"))
)
_PAGE_OF_SHARDS = _PAGE.where(
    (entry_state.c.slot % bindparam("of")).in_(bindparam("shards", expanding=True))
)


def load_assignments(
    connection: Connection,
    shards: Collection[int],
    *,
    after_id: int = 0,
    limit: int = 1000,
    of: int = SHARDS,
) -> list[Assignment]:
    """At most `limit` entries of these shards that have a source, by id, after `after_id`.

    `of` is how many shards there are. Entries that expired and are not removed yet are among
    them. An empty list means that there are no more.
    """
    asked: dict[str, object] = {"after": after_id, "most": limit}
    if len(set(shards)) == of:
        rows = connection.execute(_PAGE, asked)
    else:
        rows = connection.execute(
            _PAGE_OF_SHARDS, {**asked, "of": of, "shards": sorted(set(shards))}
        )
    return [_assignment(tuple(row), of) for row in rows]


def load_assignment(connection: Connection, entry: int, *, of: int = SHARDS) -> Assignment | None:
    """One entry by its id; None when it is gone or has no source."""
    row = connection.execute(_ONE, {"entry": entry}).first()
    return None if row is None else _assignment(tuple(row), of)


def _assignment(row: Row, of: int) -> Assignment:
    (
        number, group, group_id, key, member, address, config, plan, sink_plans, memory,
        slot, termination, due, last_attempt, last_success, failures, version,
    ) = row  # fmt: skip
    return Assignment(
        id=number,
        group=group,
        group_id=group_id,
        key=key,
        member=member,
        address=address,
        config=config,
        plan=Plan.loads(plan),
        sink_plans={name: Plan.loads(text) for name, text in json.loads(sink_plans).items()},
        memory=json.loads(memory),
        shard=slot % of,
        termination=termination,
        due=due,
        last_attempt=last_attempt,
        last_success=last_success,
        consecutive_failures=failures,
        version=version,
    )
