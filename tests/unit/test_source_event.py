"""The event source: a queue is bound, looked into, and deleted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aggregator.contract import AggregatorSource
from aggregator.errors import CollectError
from aggregator.model import Plan
from aggregator.registry.plugins import find_plugins
from aggregator.testing import ScriptedConsumers, ScriptedEvents, StubContext

PLAN = Plan("EventAggregatorSource", 0, {"event_id": "1001", "origin": "site.#"}, upkeep=1000)


def source() -> AggregatorSource:
    return (
        find_plugins()
        .sources["{http://mds.globus.org/aggregator/types}EventSubscriptionType"]
        .source
    )


def run(work: Any) -> Any:
    return asyncio.run(work)


def test_the_add_binds_a_queue_and_opens_an_address() -> None:
    context = StubContext()
    remembered = run(source().establish(PLAN, context=context))
    assert context.events.bound == [("1001", "site.#")]
    assert remembered == {"consumer": context.consumers.opened[0], "queue": "queue-1"}


def test_an_address_is_closed_where_no_queue_can_be_bound() -> None:
    class Away(ScriptedEvents):
        async def bind(self, *, event_id: str, origin: str) -> str:
            raise CollectError("no broker", code="no-broker")

    context = StubContext(events=Away())
    with pytest.raises(CollectError, match="no broker"):
        run(source().establish(PLAN, context=context))
    assert context.consumers.closed == context.consumers.opened != []


def test_what_waits_is_put_into_the_inbox_and_changes_nothing_by_itself() -> None:
    consumers = ScriptedConsumers()
    memory = {"consumer": "http://c/1", "queue": "q"}
    context = StubContext(
        memory=memory, consumers=consumers, events=ScriptedEvents([b"1", b"2"], [b"3"])
    )
    more, last, none = (run(source().collect(PLAN, context=context)) for _ in range(3))
    assert consumers.fetched == [b"1", b"2", b"3"]
    assert [one.content for one in (more, last, none)] == [None, None, None]
    assert [one.again for one in (more, last, none)] == [0.0, 1.0, 1.0]


def test_an_event_is_published() -> None:
    found = run(source().receive(PLAN, b"<a/>", context=StubContext()))
    assert found.content == (b"<a/>",)


def test_the_queue_is_deleted_once_there_is_one() -> None:
    context = StubContext()
    run(source().release(PLAN, context=context))
    assert context.events.deleted == []
    context = StubContext(memory={"queue": "q"})
    for _ in range(2):
        run(source().release(PLAN, context=context))
    assert context.events.deleted == ["q", "q"]
