"""Fetch members' notifications from pull points: AggregatorPullPointType."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from aggregator.contract import (
    AggregatorSource,
    Collected,
    ConfigBlock,
    Context,
    Group,
    SourceType,
)
from aggregator.errors import CollectError, StoreUnavailable
from aggregator.model import Plan
from aggregator.wire.namespaces import AGG, clark

from ._pull import NAME, Pull, read_block
from ._pulling import TOGETHER, WSN, Pulling
from ._received import received
from ._subscription import lasts_until

BLOCK = clark(AGG, "AggregatorPullPointType")
#: Messages that wait for the collector, beyond which no more are fetched for some seconds.
_CROWDED, _PAUSE = 1000, 5.0
#: Seconds until a store that is away is asked again.
_RETRY = 1.0


class PullPointAggregatorSource(AggregatorSource):
    """Subscribes when a member is added, and fetches what it notifies at each turn.

    A device of ONVIF is asked by PullMessages, which keeps its subscription alive; any other has a
    pull point made for us and is asked by GetMessages. Where either is gone, it is made again.
    """

    def check(self, block: ConfigBlock, *, group: Group) -> Plan:
        """Read the block as what will be asked for."""
        return read_block(block, group=group)

    async def establish(self, plan: Plan, *, context: Context) -> Mapping[str, str]:
        """Subscribe, in whichever way the member has."""
        consumer = context.consumers.mark(await context.consumers.open())
        try:
            return {"consumer": consumer, **await _pulling(plan, context).begin()}
        except BaseException:
            await context.consumers.close(consumer)
            raise

    async def collect(self, plan: Plan, *, context: Context) -> Collected:
        """Fetch what there is, and put it where `receive` is given each message."""
        pulling = _pulling(plan, context)
        memory = context.memory
        # A pull point goes on without its subscription, and would never say so.
        if not memory.get("manager") or (memory["form"] == WSN and pulling.is_over()):
            return Collected(None, await pulling.begin_again())
        try:
            found, remember = await pulling.fetch()
        except CollectError as error:
            if not pulling.is_lost(error):
                raise
            context.log.info("the subscription is made again: %s", error)
            return Collected(None, await pulling.begin_again())
        waiting = 0
        if found.messages:
            # Before anything can fail: nobody has them any more.
            waiting = await _put(found.messages, context)
        remember |= await pulling.renewed(remember)
        if waiting > _CROWDED:
            return Collected(None, remember, again=_PAUSE)
        return Collected(None, remember, again=0.0 if len(found.messages) >= TOGETHER else None)

    async def receive(self, plan: Plan, message: bytes, *, context: Context) -> Collected:
        """Take the new value of a property that has changed, what has changed of a device, or the
        message as it is."""
        return received(message, context=context)

    def lasts_until(self, memory: Mapping[str, str]) -> int | None:
        """As long as the subscription."""
        return lasts_until(memory)

    async def release(self, plan: Plan, *, context: Context) -> None:
        """Unsubscribe, and destroy the pull point; what the member does not know is undone."""
        if context.memory.get("form"):
            await _pulling(plan, context).end()


def _pulling(plan: Plan, context: Context) -> Pulling:
    return Pulling(Pull.of(plan), plan.turn / 1000, context)


async def _put(messages: Sequence[bytes], context: Context) -> int:
    """Store messages; a store that is away is waited for as long as the turn may last."""
    while True:
        try:
            return await context.consumers.put(context.memory["consumer"], messages)
        except StoreUnavailable as error:
            context.log.warning("messages that were fetched wait for the store: %s", error)
            await asyncio.sleep(_RETRY)


PLUGIN = SourceType(NAME, (BLOCK,), PullPointAggregatorSource())
