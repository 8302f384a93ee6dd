"""Collect what is published on the event bus: EventSubscriptionType."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial

from aggregator.contract import (
    AggregatorSource,
    Collected,
    ConfigBlock,
    Context,
    Group,
    SourceType,
)
from aggregator.errors import CollectError, ConfigError
from aggregator.model import Plan
from aggregator.wire.namespaces import AGG, clark
from aggregator.wire.parse import Element, text_of

from ._block import children

NAME = "EventAggregatorSource"
BLOCK = clark(AGG, "EventSubscriptionType")
#: Milliseconds after which a queue is looked into again that was in trouble, and seconds else.
_UPKEEP, _PAUSE = 1000, 1.0
_EVENT_ID = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
#: Bytes of an origin: a topic has 255, with the event id.
_LONGEST = 200


class EventAggregatorSource(AggregatorSource):
    """Takes the events of one kind from one origin, or of any, as content of the entry.

    A durable queue is bound inside of the Add, so that nothing that is published after its answer
    is missed. The collector fetches from it once a second.
    """

    def check(self, block: ConfigBlock, *, group: Group) -> Plan:
        """Read the block: what events are wanted."""
        data = {"event_id": _event_id(block.element), "origin": _origin(block.element)}
        return Plan(NAME, 0, data, upkeep=_UPKEEP)

    async def establish(self, plan: Plan, *, context: Context) -> Mapping[str, str]:
        """Bind the queue."""
        consumer = context.consumers.mark(await context.consumers.open())
        try:
            queue = await context.events.bind(**_wanted(plan))
        except BaseException:
            await context.consumers.close(consumer)
            raise
        return {"consumer": consumer, "queue": queue}

    async def collect(self, plan: Plan, *, context: Context) -> Collected:
        """Put what waits in the queue into the inbox."""
        memory = context.memory
        if "queue" not in memory:
            raise CollectError("no queue was bound for this registration", code="no-queue")
        put = partial(context.consumers.put, memory["consumer"])
        more = await context.events.fetch(memory["queue"], put=put, **_wanted(plan))
        return Collected(None, again=0.0 if more else _PAUSE)

    async def receive(self, plan: Plan, message: bytes, *, context: Context) -> Collected:
        """Take an event."""
        return Collected((context.events.read(message),))

    async def release(self, plan: Plan, *, context: Context) -> None:
        """Delete the queue."""
        if queue := context.memory.get("queue", ""):
            await context.events.delete(queue)


def _wanted(plan: Plan) -> dict[str, str]:
    return {name: str(plan.data[name]) for name in ("event_id", "origin")}


def _event_id(block: Element) -> str:
    text = _only_text(block, "EventId")
    if text and not _EVENT_ID.fullmatch(text):
        raise ConfigError(
            f"{text[:60]!r} is no event id such as 1001; left out it is any", element="EventId"
        )
    return text


def _origin(block: Element) -> str:
    text = _only_text(block, "Origin")
    if not text.isprintable() or " " in text or len(text.encode()) > _LONGEST:
        raise ConfigError(
            f"{text[:60]!r} is no origin of at most {_LONGEST} bytes without spaces, such as"
            " buoy-7 or site.#; left out it is any",
            element="Origin",
        )
    return text


def _only_text(block: Element, name: str) -> str:
    found = children(block, name)
    if len(found) > 1:
        raise ConfigError(f"given {len(found)} times; at most one is taken", element=name)
    if not found:
        return ""
    text = text_of(found[0]).strip()
    if not text:
        raise ConfigError("is empty; leave it out for any", element=name)
    return text


PLUGIN = SourceType(NAME, (BLOCK,), EventAggregatorSource())
