"""The answer to a plan with its constants, out of a table."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from aggregator.view.query_messages import QueryResult
from aggregator.view.results import blocks, scalar_text
from aggregator.view.tables.conditions import as_number, first_of, values_of
from aggregator.view.tables.plan import Constant, Plan
from aggregator.view.tables.rows import Hit
from aggregator.view.tables.table import Table
from aggregator.waiting import waiting

#: Comparisons that are made for one who must not wait, and those that are made at all: what takes
#: more the evaluator does, in a process of its own.
_LITTLE_WORK, _MOST_WORK = 1500, 100_000
#: One does more than a little at a time; how long others wait for that, in seconds.
_working = threading.Lock()
_TURN = 1.0
#: Nodes that are written for one who must not wait.
_MOST_NODES = 8
#: More rows than there can be.
_MOST_EVER = 2**31


def answer(
    plan: Plan, constants: list[Constant], table: Table, *, max_result: int
) -> QueryResult | None:
    """What the evaluator would answer, None where the table can't tell.

    Raises QueryFailed for a result that is too large.
    """
    if not table.is_fit or (plan.tail is not None and table.is_nested):
        return None
    if plan.position is not None and not (plan.position.grouped or _are_siblings(plan, table)):
        return None
    if table.work(plan.condition, constants) <= _LITTLE_WORK:
        return _answered(plan, constants, table, max_result)
    # Who goes through many rows takes turns with all other threads; one at a time is enough.
    with waiting():
        if not _working.acquire(timeout=_TURN):
            return None
    try:
        # Once they are there, most of those who ask have little to do.
        table.index_for(plan.condition)
        if table.work(plan.condition, constants) > _MOST_WORK:
            return None
        return _answered(plan, constants, table, max_result)
    finally:
        _working.release()


def _answered(plan: Plan, constants: list[Constant], table: Table, max_result: int) -> QueryResult:
    hits = table.hits(plan.condition, constants)
    if plan.position is not None:
        hits = _at(hits, plan.position.constant, constants)
    if plan.function:
        text = scalar_text(_called(plan, hits)).encode()
        return QueryResult(blocks([text], max_result), is_text=True)
    if plan.tail is not None:
        text = "\n".join(map(str, _tails(plan, hits))).encode()
        return QueryResult(blocks([text], max_result), is_text=True)
    return _nodes(list(hits), table, max_result)


def _are_siblings(plan: Plan, table: Table) -> bool:
    """Whether the rows are the group's entries, all children of one element."""
    return plan.is_shallow and plan.last == table.entry_name and table.is_of_entries


def _at(hits: Iterable[Hit], place: int | None, constants: list[Constant]) -> Iterator[Hit]:
    if place is None:
        return iter(deque(hits, maxlen=1))
    wanted = as_number(constants[place])
    if not 1 <= wanted < _MOST_EVER or not wanted.is_integer():
        return iter(())
    return islice(hits, int(wanted) - 1, int(wanted))


def _called(plan: Plan, hits: Iterable[Hit]) -> str | float | bool:
    if plan.function == "count":
        if plan.tail is None:
            return float(sum(1 for _ in hits))
        return float(sum(1 for _ in _tails(plan, hits)))
    if plan.function == "sum":
        total = 0.0
        # As the library does it: sum() of later Pythons rounds less.
        for value in _tails(plan, hits):
            total += as_number(value)
        return total
    if plan.function in ("boolean", "not"):
        found: Iterable[object] = hits if plan.tail is None else _tails(plan, hits)
        is_there = next(iter(found), None) is not None
        return is_there is (plan.function == "boolean")
    first = first_of(tuple(map(str, islice(_tails(plan, hits), 1))))
    return as_number(first) if plan.function == "number" else first


def _tails(plan: Plan, hits: Iterable[Hit]) -> Iterator[str | float]:
    assert plan.tail is not None
    for _, _, row in hits:
        yield from values_of(row[plan.tail])


def _nodes(hits: list[Hit], table: Table, max_result: int) -> QueryResult:
    entries = dict.fromkeys(entry for entry, _, _ in hits)
    if sum(not table.has_nodes(entry) for entry in entries) > _MOST_NODES:
        with waiting():
            pass
    if not hits:
        return QueryResult([], is_text=True)
    written = (table.nodes(entry)[number] for entry, number, _ in hits)
    return QueryResult(blocks(written, max_result), is_text=False)
