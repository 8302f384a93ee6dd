"""What collections brought, recorded many at a time and only where it differs from before."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, select, update

from aggregator.model import ChangeKind
from aggregator.store.chunks import chunks
from aggregator.store.consumers import take_messages
from aggregator.store.content import digest, pack
from aggregator.store.statement import Statement
from aggregator.store.tables import entry_data, entry_health, entry_state, leases
from aggregator.store.write import Write

HELD = Statement(
    select(leases.c.shard, leases.c.epoch)
    .where(leases.c.holder == bindparam("of"))
    .order_by(leases.c.shard)
    # Nobody can take the lease over until what depends on it is committed.
    .with_for_update(read=True)
)
_STATES = (
    select(
        entry_health.c.entry_id,
        entry_state.c.group_id,
        entry_state.c.interval,
        entry_health.c.last_attempt,
        entry_health.c.epoch,
        entry_health.c.last_success,
        entry_health.c.failures,
        entry_health.c.error_code,
        entry_health.c.error_message,
        entry_health.c.error_since,
        entry_health.c.skipped,
        entry_health.c.digest,
        entry_health.c.memory,
        entry_health.c.version,
    )
    .join(entry_state, entry_state.c.entry_id == entry_health.c.entry_id)
    .where(entry_health.c.entry_id.in_(bindparam("ids", expanding=True)))
    .order_by(entry_health.c.entry_id)
    .with_for_update(of=entry_health)
)
RECORD = Statement(
    update(entry_health)
    .where(entry_health.c.entry_id == bindparam("entry"))
    .values(
        {
            column: bindparam(f"new_{column.name}")
            for column in entry_health.columns
            if not column.primary_key
        }
    )
)
STORE_DATA = Statement(
    update(entry_data)
    .where(entry_data.c.entry_id == bindparam("entry"))
    .values(data=bindparam("new_data"))
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one collection.

    `attempt` is the instant at which it began, `epoch` that of the lease on `shard` under which
    it ran. ``data`` are the serialised children of AggregatorData, None to keep what there is;
    ``error`` is (code, message) of a failure; ``remember`` is merged into the entry's memory;
    ``skipped`` counts the collections left out since the last outcome because this one overran;
    ``messages`` are those of the inbox that it was made of, which leave it. ``keeps_error``: it is
    no answer to the error that there is.
    """

    entry: int
    attempt: int
    epoch: int
    shard: int
    data: tuple[bytes, ...] | None = None
    error: tuple[str, str] | None = None
    remember: Mapping[str, str] | None = None
    skipped: int = 0
    messages: tuple[int, ...] = ()
    keeps_error: bool = False


@dataclass(frozen=True, slots=True)
class _State:
    """A row of entry_health, with what else is needed of the entry."""

    entry_id: int
    group_id: int
    interval: int
    last_attempt: int | None
    epoch: int
    last_success: int | None
    failures: int
    error_code: str
    error_message: str
    error_since: int | None
    skipped: int
    digest: str
    memory: str
    version: int

    def is_newer_than(self, outcome: Outcome) -> bool:
        """Whether something that began later, or under a later lease, is stored already."""
        if self.last_attempt is None:
            return False
        return (self.last_attempt, self.epoch) > (outcome.attempt, outcome.epoch)

    def is_stale(self, now: int, intervals: int) -> bool:
        """Whether the data is shown as too old, so that the end of that must be told."""
        if not self.interval:
            return False
        if self.last_success is None:
            return True
        return now - self.last_success > intervals * self.interval * 1000


def record_outcomes(
    write: Write, outcomes: Sequence[Outcome], *, holder: str, stale_intervals: int = 3
) -> int:
    """Record what `holder` collected; how many outcomes were taken.

    Left out are those of entries that are gone, of shards whose lease is not the holder's or is
    of another epoch, and, of entries that are collected at intervals, those that began before what
    is stored; of others each comes after the one before it, by whatever clock. What is published
    changes, and is told to the readers, with the content, with the error or the count of failures,
    and when data comes in that had been shown as stale.
    """
    epochs: dict[int, int] = dict(HELD.rows(write.connection, of=holder))
    valid = [one for one in outcomes if epochs.get(one.shard) == one.epoch]
    states = _states(write, sorted({one.entry for one in valid}))
    data: dict[int, bytes] = {}
    kinds: dict[int, ChangeKind] = {}
    after: dict[int, _State] = {}
    taken = 0
    for outcome in sorted(valid, key=lambda one: (one.entry, one.attempt, one.epoch)):
        before = after.get(outcome.entry) or states.get(outcome.entry)
        if before is None or (before.interval and before.is_newer_than(outcome)):
            continue
        taken += 1
        stale = before.is_stale(write.now, stale_intervals)
        state, kind = _apply(before, outcome, data, stale=stale)
        after[outcome.entry] = state
        if bool(before.failures) != bool(state.failures):
            write.tally.turns[outcome.entry] = "failing" if state.failures else "recovered"
        if kind is not None and kinds.get(outcome.entry) != "content":
            kinds[outcome.entry] = kind
    take_messages(write, [number for one in valid for number in one.messages])
    _write(write, after, data, kinds)
    return taken


def _states(write: Write, ids: Sequence[int]) -> dict[int, _State]:
    rows: list[Any] = []
    for chunk in chunks(ids):
        rows += write.connection.execute(_STATES, {"ids": chunk})
    return {row[0]: _State(*row) for row in rows}


def _apply(
    state: _State, outcome: Outcome, data: dict[int, bytes], *, stale: bool
) -> tuple[_State, ChangeKind | None]:
    kind: ChangeKind | None = None
    if outcome.keeps_error and state.failures:
        # Only what is remembered, and when it was.
        return replace(
            state,
            last_attempt=max(outcome.attempt, state.last_attempt or 0),
            epoch=outcome.epoch,
            skipped=state.skipped + outcome.skipped,
            memory=_merged(state.memory, outcome.remember),
        ), None
    code, message = outcome.error or ("", "")
    failed = bool(outcome.error)
    failures = state.failures + 1 if failed else 0
    if (code, message, failures) != (state.error_code, state.error_message, state.failures):
        kind = "health"
    if stale and not failed:
        kind = "health"
    mark = state.digest
    if outcome.data is not None:
        packed = pack(outcome.data)
        mark = digest(packed)
        if mark != state.digest:
            kind = "content"
            data[state.entry_id] = packed
    attempt = max(outcome.attempt, state.last_attempt or 0)
    since = (state.error_since or attempt) if failed else None
    return replace(
        state,
        last_attempt=attempt,
        epoch=outcome.epoch,
        last_success=state.last_success if failed else attempt,
        failures=failures,
        error_code=code,
        error_message=message,
        error_since=since,
        skipped=state.skipped + outcome.skipped,
        digest=mark,
        memory=_merged(state.memory, outcome.remember),
        version=state.version + (kind is not None),
    ), kind


def _merged(memory: str, remember: Mapping[str, str] | None) -> str:
    return json.dumps({**json.loads(memory), **remember}) if remember else memory


def _write(
    write: Write,
    after: Mapping[int, _State],
    data: Mapping[int, bytes],
    kinds: Mapping[int, ChangeKind],
) -> None:
    if not after:
        return
    columns = [column.name for column in entry_health.columns if not column.primary_key]
    write.run_many(
        RECORD,
        [
            {"entry": entry, **{f"new_{name}": getattr(state, name) for name in columns}}
            for entry, state in after.items()
        ],
    )
    if data:
        write.run_many(
            STORE_DATA, [{"entry": entry, "new_data": packed} for entry, packed in data.items()]
        )
    for entry, kind in kinds.items():
        write.change(after[entry].group_id, entry, kind)
