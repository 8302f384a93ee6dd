"""Fetch members' notifications from pull points: AggregatorPullPointType."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

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
from aggregator.wire.dialects import CREATE_PULL_POINT, DESTROY_PULL_POINT, GET_MESSAGES, OASIS
from aggregator.wire.epr import EndpointReference
from aggregator.wire.namespaces import AGG, clark
from aggregator.wire.pulling import write_get_messages
from aggregator.wire.times import SECOND

from ._onvif import Pulled, create, messages_of, pull, skew_of_clock, way_to
from ._producer import Way, call, reference_of, referred, renew, subscribe, unsubscribe
from ._pull import NAME, Pull, read_block
from ._received import received
from ._reply import NotSpoken
from ._subscription import times

BLOCK = clark(AGG, "AggregatorPullPointType")
#: Messages of one turn; where there are as many, the next turn follows at once.
_TOGETHER = 100
#: Messages that wait for the collector, beyond which no more are fetched for some seconds.
_CROWDED, _PAUSE = 1000, 5.0
#: Seconds until a store that is away is asked again.
_RETRY = 1.0
_ONVIF, _WSN = "onvif", "wsn"


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
        consumer = await context.consumers.open()
        try:
            return {"consumer": consumer, **await _subscribed(Pull.of(plan), context)}
        except BaseException:
            await context.consumers.close(consumer)
            raise

    async def collect(self, plan: Plan, *, context: Context) -> Collected:
        """Fetch what there is, and put it where `receive` is given each message."""
        asked = Pull.of(plan)
        if not context.memory.get("manager"):
            return Collected(None, await _again(asked, context))
        try:
            found = await _fetched(asked, context)
        except CollectError as error:
            if error.code != "fault":
                raise
            context.log.info("the subscription is made again: %s", error)
            # Asked at the next turn, not at once: it may not know this one either.
            return Collected(None, await _again(asked, context))
        waiting = 0
        if found.messages:
            # Before anything can fail: nobody has them any more.
            waiting = await _put(found.messages, context)
        remember = {} if found.lifetime is None else times(found.lifetime, context.now)
        needed = 2 * (plan.turn / 1000 + asked.wait)
        remember |= await _renewed({**context.memory, **remember}, needed, context)
        if waiting > _CROWDED:
            return Collected(None, remember, again=_PAUSE)
        return Collected(None, remember, again=0.0 if len(found.messages) >= _TOGETHER else None)

    async def receive(self, plan: Plan, message: bytes, *, context: Context) -> Collected:
        """Take the new value of a property that has changed, what has changed of a device, or the
        message as it is."""
        return received(message, context=context)

    async def release(self, plan: Plan, *, context: Context) -> None:
        """Unsubscribe, and destroy the pull point; what the member does not know is undone."""
        try:
            await _ended(context.memory, context)
        except CollectError as error:
            if error.code != "fault":
                raise
            context.log.info("the producer did not end the subscription: %s", error)


async def _subscribed(asked: Pull, context: Context) -> dict[str, str]:
    """What to remember of a new subscription."""
    if asked.factory:
        return await _at_pull_point(asked, context)
    try:
        return await _at_device(asked, context)
    except NotSpoken as error:
        with suppress(NotSpoken):
            return await _at_pull_point(asked, context)
        raise error


async def _at_device(asked: Pull, context: Context) -> dict[str, str]:
    skew = int(context.memory.get("skew", "0"))
    ask = partial(create, asked.request(context), context=context)
    try:
        granted = await ask(skew=skew)
    except CollectError as error:
        if "uthoriz" not in error.message:
            raise
        # Its clock may be another than ours, and the token too old or too new by it.
        told = await skew_of_clock(context)
        if told is None:
            raise
        skew = told
        granted = await ask(skew=skew)
    return {
        "form": _ONVIF,
        "manager": granted.manager.decode(),
        "producer": granted.address,
        "skew": str(skew),
        "renews": "yes",
        **times(granted.lifetime, context.now),
    }


async def _at_pull_point(asked: Pull, context: Context) -> dict[str, str]:
    factory = EndpointReference(asked.factory) if asked.factory else context.member.epr
    body = f'<n:CreatePullPoint xmlns:n="{OASIS.nt}"/>'.encode()
    made = await call(CREATE_PULL_POINT, body, to=factory, dialect=OASIS, context=context)
    point, _ = referred(made, "PullPoint")
    try:
        granted = await subscribe(
            asked.request(context),
            producer=context.member.epr,
            consumer=reference_of(point),
            policy=asked.policy,
            dialect=OASIS,
            context=context,
        )
    except BaseException:
        with suppress(CollectError):
            await _destroyed(point, context)
        raise
    return {
        "form": _WSN,
        "manager": granted.manager.decode(),
        "point": point.decode(),
        "producer": granted.address,
        "tells": "changes" if granted.tells_changes else "values",
        "renews": "yes",
        **times(granted.lifetime, context.now),
    }


async def _renewed(memory: Mapping[str, str], needed: float, context: Context) -> dict[str, str]:
    """Renew the subscription when it is time, or when less than `needed` seconds are left of it;
    what to remember.

    Some devices have no Renew, since PullMessages is enough: whether the subscription is there is
    seen when it is asked.
    """
    at = int(memory["renew_at"])
    if memory["ends"]:
        at = min(at, int(memory["ends"]) - round(needed * SECOND))
    if memory["renews"] != "yes" or context.now < at:
        return {}
    asked = context.subscription_lifetime
    manager = memory["manager"].encode()
    try:
        lifetime = await renew(
            manager,
            until=context.now + round(asked * SECOND),
            lifetime=asked,
            dialect=OASIS,
            context=context,
            way=_way(manager, memory, context),
        )
    except CollectError as error:
        if error.code not in ("fault", "http-status"):
            raise
        context.log.info("the subscription is not renewed: %s", error)
        return {"renews": "no"}
    return times(lifetime, context.now)


async def _fetched(asked: Pull, context: Context) -> Pulled:
    memory = context.memory
    if memory["form"] == _ONVIF:
        return await pull(
            memory["manager"].encode(),
            wait=asked.wait,
            most=_TOGETHER,
            skew=int(memory.get("skew", "0")),
            context=context,
        )
    to = reference_of(memory["point"].encode())
    body = write_get_messages(_TOGETHER)
    response = await call(GET_MESSAGES, body, to=to, dialect=OASIS, context=context)
    return Pulled(messages_of(response), None)


async def _again(asked: Pull, context: Context) -> dict[str, str]:
    """Subscribe anew; the old subscription may be there, and would be in the way of others."""
    remember = await _subscribed(asked, context)
    with suppress(CollectError):
        await _ended({**context.memory, "skew": remember.get("skew", "0")}, context)
    return remember


async def _put(messages: Sequence[bytes], context: Context) -> int:
    """Store messages; a store that is away is waited for as long as the turn may last."""
    while True:
        try:
            return await context.consumers.put(context.memory["consumer"], messages)
        except StoreUnavailable as error:
            context.log.warning("messages that were fetched wait for the store: %s", error)
            await asyncio.sleep(_RETRY)


async def _ended(memory: Mapping[str, str], context: Context) -> None:
    if memory.get("point"):
        with suppress(CollectError):
            await _destroyed(memory["point"].encode(), context)
    if memory.get("manager"):
        manager = memory["manager"].encode()
        way = _way(manager, memory, context)
        await unsubscribe(manager, dialect=OASIS, context=context, way=way)


async def _destroyed(point: bytes, context: Context) -> None:
    body = f'<n:DestroyPullPoint xmlns:n="{OASIS.nt}"/>'.encode()
    await call(DESTROY_PULL_POINT, body, to=reference_of(point), dialect=OASIS, context=context)


def _way(manager: bytes, memory: Mapping[str, str], context: Context) -> Way:
    if memory.get("form") != _ONVIF:
        return Way()
    skew = int(memory.get("skew", "0"))
    return way_to(reference_of(manager).address, skew=skew, context=context)


PLUGIN = SourceType(NAME, (BLOCK,), PullPointAggregatorSource())
