"""A source that is notified asks for a value too: what it asked for replaces nothing newer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from aggregator.collect.assignments import Assignments
from aggregator.collect.context import EntryContext
from aggregator.collect.dispatch import _collected
from aggregator.contract import AggregatorSource, Collected, SourceType
from aggregator.model import Plan

ASKED = Collected((b"<v/>",), {"synced": "x"}, again=9.0)


class Asking(AggregatorSource):
    """Asks for a value; `during` happens meanwhile."""

    def __init__(self) -> None:
        self.during: Callable[[], object] = lambda: None
        self.brings = ASKED

    async def collect(self, plan: Plan, *, context: Any) -> Collected:
        """What was asked for."""
        self.during()
        return self.brings


def entry(*, upkeep: int = 1000) -> EntryContext:
    assignment: Any = SimpleNamespace(
        plan=Plan("s", 0 if upkeep else 1000, {}, upkeep=upkeep), memory={}, last_success=None
    )
    offered: Any = None
    return EntryContext(assignment, offered=offered)


def collected(source: Asking, context: EntryContext) -> Collected:
    run: Any = SimpleNamespace(context=context, attempt=100, scheduled=SimpleNamespace(source="s"))
    return asyncio.run(_collected(run, SourceType("s", (), source)))


def test_nothing_came_meanwhile() -> None:
    context = entry()
    context.received = 99
    assert collected(Asking(), context) == ASKED


def test_a_message_that_came_meanwhile_is_newer() -> None:
    source, context = Asking(), entry()
    source.during = lambda: setattr(context, "received", 101)
    assert collected(source, context) == Collected(None, again=0.0)
    # It asks once more, and no message is received in that time.
    was_locked: list[bool] = []
    source.during = lambda: was_locked.append(context.turn.locked())
    assert collected(source, context) == ASKED
    assert was_locked == [True]
    assert not context.turn.locked()
    assert not context.alone


def test_a_message_that_is_just_being_received_is_newer() -> None:
    source, context = Asking(), entry()

    async def run() -> Collected:
        async with context.turn:
            asked: Any = SimpleNamespace(
                context=context, attempt=100, scheduled=SimpleNamespace(source="s")
            )
            return await _collected(asked, SourceType("s", (), source))

    assert asyncio.run(run()).content is None


def test_what_brings_no_value_or_is_polled_is_taken_as_it_is() -> None:
    source, context = Asking(), entry()
    context.received = 101
    source.brings = replace(ASKED, content=None)
    assert collected(source, context) == source.brings
    polled = entry(upkeep=0)
    polled.received = 101
    assert collected(Asking(), polled) == ASKED


def test_what_is_at_work_is_not_forgotten() -> None:
    """A second context of the entry would not know what is on its way."""
    offered: Any = None
    kept = Assignments(offered, needs_farewell=lambda assignment: False, kept=1)

    def put(number: int) -> EntryContext:
        assignment: Any = SimpleNamespace(id=number, memory={}, last_success=None)
        return kept.put(assignment)

    first = put(1)
    first.unrecorded = 1
    put(2)
    assert put(1) is first
    first.unrecorded = 0
    put(3)
    put(4)
    assert kept.get(1) is None
