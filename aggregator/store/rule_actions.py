"""Actions of rules: wanted in the transaction in which a rule fires, claimed before they are begun.

An action is ``pending`` until a collector claims it, ``started`` from then on, and ``done`` or
``failed`` once it has ended; one that could not be done now is ``pending`` again. One that was
started by a process whose shards another has taken over is ``unknown``: it may have run, and is
not started again.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from sqlalchemy import (
    Connection,
    Integer,
    bindparam,
    delete,
    exists,
    func,
    null,
    or_,
    select,
    update,
)

from aggregator.store.statement import Statement
from aggregator.store.tables import groups
from aggregator.store.trigger_tables import rule_actions
from aggregator.store.upsert import or_nothing
from aggregator.store.write import Write


@dataclass(frozen=True, slots=True)
class WantedAction:
    """An action that a rule's firing or recovery asks for; `told` is its standard input."""

    rule: str
    group_id: int
    entry_id: int
    slot: int
    script: str
    kind: str
    at: int
    told: bytes

    @property
    def id(self) -> str:
        """What names it, the same at every attempt and wherever the delivery is taken again."""
        named = f"{self.rule}\n{self.kind}\n{self.at}"
        return blake2b(named.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class ClaimedAction:
    """An action that this collector has begun."""

    id: str
    rule: str
    group_id: int
    entry_id: int
    slot: int
    script: str
    kind: str
    at: int
    attempts: int
    told: bytes


@dataclass(frozen=True, slots=True)
class ActionTold:
    """How an action stands, as it is shown; `output` is the document that it printed."""

    rule: str
    kind: str
    at: int
    state: str
    attempts: int
    output: bytes
    message: str


#: The states of an action.
PENDING, STARTED, DONE, FAILED, UNKNOWN = "pending", "started", "done", "failed", "unknown"

#: Actions of one rule that may wait; past that a firing is left out.
MOST_WAITING = 100

OPEN = Statement(
    select(func.count())
    .select_from(rule_actions)
    .where(rule_actions.c.rule == bindparam("of"), rule_actions.c.ended.is_(None))
)
WANT = Statement(or_nothing(rule_actions))
_ours = (rule_actions.c.slot % bindparam("of", type_=Integer())).in_(
    bindparam("shards", expanding=True)
)
# The actions of a rule follow each other: nobody is told of an end before the beginning.
_earlier = rule_actions.alias()
_waits_for_another = exists().where(
    _earlier.c.rule == rule_actions.c.rule,
    _earlier.c.at < rule_actions.c.at,
    _earlier.c.ended.is_(None),
)
_CLAIMABLE = (
    select(
        rule_actions.c.id,
        rule_actions.c.rule,
        rule_actions.c.group_id,
        rule_actions.c.entry_id,
        rule_actions.c.slot,
        rule_actions.c.script,
        rule_actions.c.kind,
        rule_actions.c.at,
        rule_actions.c.attempts,
        rule_actions.c.input,
    )
    .where(
        rule_actions.c.ended.is_(None),
        rule_actions.c.state == PENDING,
        rule_actions.c.due <= bindparam("now"),
        _ours,
        ~_waits_for_another,
    )
    .order_by(rule_actions.c.due, rule_actions.c.at)
    .limit(bindparam("most"))
)
_CLAIMED = _CLAIMABLE.with_for_update(skip_locked=True)
_ANY = _CLAIMABLE.with_only_columns(rule_actions.c.id)
CLAIM = Statement(
    update(rule_actions)
    .where(rule_actions.c.id == bindparam("of"))
    .values(
        state=STARTED,
        due=null(),
        attempts=rule_actions.c.attempts + 1,
        claimer=bindparam("by"),
    )
)
_ABANDONED = select(
    rule_actions.c.id,
    rule_actions.c.rule,
    rule_actions.c.group_id,
    rule_actions.c.entry_id,
).where(
    rule_actions.c.ended.is_(None),
    rule_actions.c.state == STARTED,
    rule_actions.c.claimer != bindparam("by"),
    _ours,
)
_found = rule_actions.c.id == bindparam("of")
END = Statement(
    update(rule_actions)
    .where(_found, or_(rule_actions.c.state == STARTED, rule_actions.c.state == UNKNOWN))
    .values(
        state=bindparam("new_state"),
        ended=bindparam("now"),
        input=b"",
        output=bindparam("new_output"),
        message=bindparam("new_message"),
    )
)
AGAIN = Statement(
    update(rule_actions)
    .where(_found, rule_actions.c.state == STARTED)
    .values(state=PENDING, due=bindparam("new_due"), message=bindparam("new_message"))
)
# By the index alone: a rule may have fired a hundred thousand times.
LATEST = Statement(
    select(
        rule_actions.c.rule,
        rule_actions.c.kind,
        rule_actions.c.at,
        rule_actions.c.state,
        rule_actions.c.attempts,
        rule_actions.c.output,
        rule_actions.c.message,
    )
    .where(rule_actions.c.rule == bindparam("of"))
    .order_by(rule_actions.c.at.desc())
    .limit(1)
)
_OLD = (
    select(rule_actions.c.id)
    .where(rule_actions.c.ended < bindparam("before"))
    .order_by(rule_actions.c.ended)
    .limit(bindparam("most"))
)
PRUNE = Statement(delete(rule_actions).where(_found))
GROUP_NAME = Statement(select(groups.c.name).where(groups.c.id == bindparam("of")))


def want_action(write: Write, wanted: WantedAction) -> bool:
    """Store that an action is to be run; one that was stored already is left as it is. False where
    too many of the rule wait: it is left out, unless it tells of an end."""
    [(waiting,)] = OPEN.rows(write.connection, of=wanted.rule)
    if waiting >= MOST_WAITING and wanted.kind == "fired":
        return False
    write.run(
        WANT,
        id=wanted.id,
        rule=wanted.rule,
        group_id=wanted.group_id,
        entry_id=wanted.entry_id,
        slot=wanted.slot,
        script=wanted.script,
        kind=wanted.kind,
        at=wanted.at,
        state=PENDING,
        attempts=0,
        due=write.now,
        claimer="",
        ended=None,
        input=zlib.compress(wanted.told),
        output=b"",
        message="",
    )
    return True


def any_claimable(connection: Connection, shards: Collection[int], *, of: int, now: int) -> bool:
    """Whether an action is due in these shards: to look costs no transaction that writes."""
    asked: dict[str, Any] = {"now": now, "shards": sorted(shards), "of": of, "most": 1}
    return connection.execute(_ANY, asked).first() is not None


def claim_actions(
    write: Write, shards: Collection[int], *, of: int, by: str, most: int
) -> list[ClaimedAction]:
    """Have the process `by` begin actions that are due, of `shards`: at most `most`.

    Its lease on the shards must have been confirmed in this transaction; `of` is how many shards
    there are. What is returned is started: nobody else is given it.
    """
    asked: dict[str, Any] = {"now": write.now, "shards": sorted(shards), "of": of, "most": most}
    rows = [tuple(row) for row in write.connection.execute(_CLAIMED, asked)]
    for row in rows:
        write.run(CLAIM, of=row[0], by=by)
    return [
        ClaimedAction(*row[:8], row[8] + 1, zlib.decompress(row[9]))  # type: ignore[call-arg]
        for row in rows
    ]


def abandoned(
    write: Write, shards: Collection[int], *, of: int, by: str
) -> list[tuple[str, int, int]]:
    """Mark as unknown what others than `by` had started in these shards, whose lease `by` has
    now; (rule, group id, entry id) of each."""
    rows = write.connection.execute(_ABANDONED, {"shards": sorted(shards), "of": of, "by": by})
    found = [tuple(row) for row in rows]
    for number, *_ in found:
        told = "the collector ended while it ran; it may have been done, and is not run again"
        write.run(
            END, of=number, now=write.now, new_state=UNKNOWN, new_output=b"", new_message=told
        )
    return [(rule, group_id, entry_id) for _, rule, group_id, entry_id in found]


def end_action(write: Write, number: str, *, state: str, output: bytes, message: str) -> None:
    """Store how an action ended; what was taken for unknown meanwhile is known then."""
    write.run(
        END, of=number, now=write.now, new_state=state, new_output=output, new_message=message
    )


def try_again(write: Write, number: str, *, due: int, message: str) -> None:
    """Have an action run again later that could not be done now."""
    write.run(AGAIN, of=number, new_due=due, new_message=message)


def latest_actions(connection: Connection, rules: Sequence[str]) -> dict[str, ActionTold]:
    """How the last action of each of these rules stands; rules that never fired are left out."""
    found = (LATEST.row(connection, of=rule) for rule in rules)
    return {row[0]: ActionTold(*row) for row in found if row is not None}


def prune_actions(write: Write, *, before: int, most: int) -> int:
    """Drop actions that ended before an instant, at most `most`; how many."""
    rows = write.connection.execute(_OLD, {"before": before, "most": most}).fetchall()
    for (number,) in rows:
        write.run(PRUNE, of=number)
    return len(rows)


def group_name(connection: Connection, group_id: int) -> str:
    """The name of a group."""
    row = GROUP_NAME.row(connection, of=group_id)
    return str(row[0]) if row else ""
