"""What is known of rules: since when each holds, when it fired, whether its end is to be told."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, null, select, update

from aggregator.store.chunks import chunks
from aggregator.store.statement import Statement
from aggregator.store.tables import entries, entry_state
from aggregator.store.trigger_tables import rule_states
from aggregator.store.upsert import or_replace
from aggregator.store.write import Write


@dataclass(frozen=True, slots=True)
class RuleState:
    """What is known of a rule; all of it instants in microseconds.

    ``alerted`` says that it has fired since it was found true, so that its end is to be told.
    ``due`` is when it fires if nothing is heard before. ``trouble`` is why its expression could
    not be evaluated, empty while it can.
    """

    checked_at: int | None = None
    true_since: int | None = None
    fired_at: int | None = None
    recovered_at: int | None = None
    alerted: bool = False
    due: int | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class WaitingRule:
    """A rule that fires by the clock: of which entry, group and slot, the rule as JSON, and what
    its action is told then."""

    rule: str
    entry_id: int
    group_id: int
    slot: int
    state: RuleState
    waiting: str
    told: bytes


_STATE = (
    rule_states.c.checked_at,
    rule_states.c.true_since,
    rule_states.c.fired_at,
    rule_states.c.recovered_at,
    rule_states.c.alerted,
    rule_states.c.due,
    rule_states.c.trouble,
)
_OF_RULES = select(rule_states.c.rule, *_STATE).where(
    rule_states.c.rule.in_(bindparam("rules", expanding=True))
)
OF_ENTRY = Statement(
    select(rule_states.c.rule, *_STATE)
    .where(rule_states.c.entry_id == bindparam("entry"))
    .order_by(rule_states.c.rule)
)
SAVE = Statement(or_replace(rule_states))
_DUE = (
    select(
        rule_states.c.rule,
        rule_states.c.entry_id,
        entry_state.c.group_id,
        entry_state.c.slot,
        rule_states.c.waiting,
        rule_states.c.input,
        *_STATE,
    )
    .join(entry_state, entry_state.c.entry_id == rule_states.c.entry_id)
    .where(
        rule_states.c.due <= bindparam("now"),
        (entry_state.c.slot % bindparam("of")).in_(bindparam("shards", expanding=True)),
    )
    .order_by(rule_states.c.due)
    .limit(bindparam("most"))
)
CHANGE = Statement(
    update(rule_states)
    .where(rule_states.c.rule == bindparam("of"))
    .values(
        true_since=bindparam("new_since"),
        alerted=bindparam("new_alerted"),
        trouble=bindparam("new_trouble"),
        due=null(),
        waiting="",
        input=b"",
    )
)
TROUBLE = Statement(
    update(rule_states)
    .where(rule_states.c.rule == bindparam("of"))
    .values(trouble=bindparam("new_trouble"))
)
FORGET = Statement(delete(rule_states).where(rule_states.c.rule == bindparam("of")))
# Those of entries that went while no collector was there to be told.
_orphaned = ~exists().where(entries.c.id == rule_states.c.entry_id) & rule_states.c.rule.like("%/%")
FORGET_ORPHANS = Statement(delete(rule_states).where(_orphaned))


def load_states(connection: Connection, rules: Sequence[str]) -> dict[str, RuleState]:
    """What is known of these rules; those of which nothing is known are left out."""
    found: dict[str, RuleState] = {}
    for chunk in chunks(rules):
        for row in connection.execute(_OF_RULES, {"rules": list(chunk)}):
            found[row[0]] = _state(tuple(row)[1:])
    return found


def states_of_entry(connection: Connection, entry_id: int) -> dict[str, RuleState]:
    """What is known of the rules that are held against an entry's data."""
    return {row[0]: _state(row[1:]) for row in OF_ENTRY.rows(connection, entry=entry_id)}


def save_state(
    write: Write,
    rule: str,
    entry_id: int,
    state: RuleState,
    *,
    waiting: str = "",
    told: bytes = b"",
) -> None:
    """Store what is known of a rule; `waiting` is the rule as JSON, and `told` what its action is
    to be told, for when it is due."""
    waits = state.due is not None
    write.run(
        SAVE,
        rule=rule,
        entry_id=entry_id,
        checked_at=state.checked_at,
        true_since=state.true_since,
        fired_at=state.fired_at,
        recovered_at=state.recovered_at,
        alerted=int(state.alerted),
        due=state.due,
        waiting=waiting if waits else "",
        input=zlib.compress(told) if waits else b"",
        trouble=state.trouble,
    )


def change_state(write: Write, rule: str, state: RuleState) -> None:
    """Store what is still known of a rule that was changed, if anything was; it waits no more."""
    write.run(
        CHANGE,
        of=rule,
        new_since=state.true_since,
        new_alerted=int(state.alerted),
        new_trouble=state.trouble,
    )


def change_trouble(write: Write, rule: str, state: RuleState) -> None:
    """Store why a rule can't be evaluated; for what it waits, it waits on."""
    write.run(TROUBLE, of=rule, new_trouble=state.trouble)


def due_rules(
    connection: Connection, *, now: int, shards: Collection[int], of: int, most: int
) -> list[WaitingRule]:
    """Rules that fire by the clock, the longest waiting first, of entries in these shards."""
    asked: Mapping[str, Any] = {"now": now, "shards": sorted(shards), "of": of, "most": most}
    return [_waiting(tuple(row)) for row in connection.execute(_DUE, asked)]


def forget_rule(write: Write, rule: str) -> None:
    """Drop what is known of a rule."""
    write.run(FORGET, of=rule)


def forget_orphans(write: Write) -> int:
    """Drop what is known of rules whose entries are gone; how many."""
    return write.run(FORGET_ORPHANS)


def _waiting(row: Sequence[Any]) -> WaitingRule:
    rule, entry_id, group_id, slot, waiting, told, *state = row
    known = _state(state)
    return WaitingRule(rule, entry_id, group_id, slot, known, waiting, zlib.decompress(told))


def _state(row: Sequence[Any]) -> RuleState:
    checked, since, fired, recovered, alerted, due, trouble = row
    return RuleState(checked, since, fired, recovered, bool(alerted), due, trouble)
