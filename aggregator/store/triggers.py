"""The triggers of TriggerService: made, read, changed, removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, update

from aggregator.store.chunks import chunks
from aggregator.store.rule_states import RuleState
from aggregator.store.statement import Statement
from aggregator.store.tables import entries, entry_state
from aggregator.store.trigger_tables import rule_states, triggers
from aggregator.store.write import Write


@dataclass(frozen=True, slots=True)
class StoredTrigger:
    """A trigger; `rule` is the rule as JSON, `member` the serialised EPR of what it watches."""

    id: str
    address: str
    member: bytes
    name: str
    enabled: bool
    rule: str
    owner: str
    created: int
    version: int


@dataclass(frozen=True, slots=True)
class FedTrigger:
    """A trigger with the entry that feeds it, None while there is no such entry."""

    trigger: StoredTrigger
    entry_id: int | None


_FIELDS = tuple(triggers.columns)
_with_state = select(
    *_FIELDS,
    rule_states.c.checked_at,
    rule_states.c.true_since,
    rule_states.c.fired_at,
    rule_states.c.recovered_at,
    rule_states.c.alerted,
    rule_states.c.due,
    rule_states.c.trouble,
).outerjoin(rule_states, rule_states.c.rule == triggers.c.id)
ONE = Statement(_with_state.where(triggers.c.id == bindparam("of")))
PAGE = Statement(
    _with_state.where(triggers.c.id > bindparam("after"))
    .order_by(triggers.c.id)
    .limit(bindparam("most"))
)
_FED = (
    select(*_FIELDS, entry_state.c.entry_id)
    .outerjoin(rule_states, rule_states.c.rule == triggers.c.id)
    .outerjoin(
        entry_state,
        (entry_state.c.entry_id == rule_states.c.entry_id)
        & or_(entry_state.c.termination.is_(None), entry_state.c.termination > bindparam("now")),
    )
    .where(triggers.c.address.in_(bindparam("addresses", expanding=True)), triggers.c.enabled == 1)
    .order_by(triggers.c.id)
)
_MEMBERS = (
    select(rule_states.c.rule, entries.c.member)
    .join(entries, entries.c.id == rule_states.c.entry_id)
    .where(rule_states.c.rule.in_(bindparam("ids", expanding=True)))
)
COUNT = Statement(select(func.count()).select_from(triggers))
MAKE = Statement(insert(triggers))
CHANGE = Statement(
    update(triggers)
    .where(triggers.c.id == bindparam("of"), triggers.c.version == bindparam("before"))
    .values(
        name=bindparam("new_name"),
        enabled=bindparam("new_enabled"),
        rule=bindparam("new_rule"),
        version=triggers.c.version + 1,
    )
)
# Nobody can change or remove it until what depends on it is committed.
VERSION = Statement(
    select(triggers.c.version).where(triggers.c.id == bindparam("of")).with_for_update(read=True)
)
REMOVE = Statement(delete(triggers).where(triggers.c.id == bindparam("of")))


def make_trigger(write: Write, trigger: StoredTrigger) -> None:
    """Store a new trigger."""
    write.run(
        MAKE,
        id=trigger.id,
        address=trigger.address,
        member=trigger.member,
        name=trigger.name,
        enabled=int(trigger.enabled),
        rule=trigger.rule,
        owner=trigger.owner,
        created=trigger.created,
        version=trigger.version,
    )


def change_trigger(write: Write, trigger: StoredTrigger) -> bool:
    """Store the name, the status and the rule of a trigger; False where somebody else was faster
    or it is gone. `version` is what it was when it was read."""
    changed = write.run(
        CHANGE,
        of=trigger.id,
        before=trigger.version,
        new_name=trigger.name,
        new_enabled=int(trigger.enabled),
        new_rule=trigger.rule,
    )
    return changed == 1


def remove_trigger(write: Write, number: str) -> bool:
    """Remove a trigger; False where there is none."""
    return write.run(REMOVE, of=number) == 1


def find_trigger(connection: Connection, number: str) -> tuple[StoredTrigger, RuleState] | None:
    """A trigger and what is known of its rule, None where there is none."""
    row = ONE.row(connection, of=number)
    return None if row is None else _with_its_state(row)


def trigger_version(connection: Connection, number: str) -> int | None:
    """Which version of a trigger there is, until the transaction ends; None where there is none."""
    row = VERSION.row(connection, of=number)
    return None if row is None else int(row[0])


def triggers_after(
    connection: Connection, number: str, *, most: int
) -> list[tuple[StoredTrigger, RuleState]]:
    """The next triggers by id, at most `most`, with what is known of their rules."""
    return [_with_its_state(row) for row in PAGE.rows(connection, after=number, most=most)]


def members_feeding(connection: Connection, numbers: Sequence[str]) -> dict[str, bytes]:
    """The serialised EPRs of the members that feed triggers, by the ids of these."""
    found: dict[str, bytes] = {}
    for chunk in chunks(numbers):
        rows = connection.execute(_MEMBERS, {"ids": list(chunk)})
        found.update((row[0], row[1]) for row in rows)
    return found


def count_triggers(connection: Connection) -> int:
    """How many triggers there are."""
    return int(COUNT.rows(connection)[0][0])


def triggers_of(connection: Connection, addresses: Sequence[str], *, now: int) -> list[FedTrigger]:
    """The enabled triggers that watch members with these addresses."""
    found: list[FedTrigger] = []
    for chunk in chunks(addresses):
        asked: Mapping[str, Any] = {"addresses": list(chunk), "now": now}
        for row in connection.execute(_FED, asked):
            *fields, entry_id = tuple(row)
            found.append(FedTrigger(_trigger(fields), entry_id))
    return found


def _trigger(row: Sequence[Any]) -> StoredTrigger:
    number, address, member, name, enabled, rule, owner, created, version = row
    return StoredTrigger(
        number, address, member, name, bool(enabled), rule, owner, created, version
    )


def _with_its_state(row: Sequence[Any]) -> tuple[StoredTrigger, RuleState]:
    fields, state = row[: len(_FIELDS)], list(row[len(_FIELDS) :])
    state[4], state[6] = bool(state[4]), state[6] or ""
    return _trigger(fields), RuleState(*state)
