"""Subscribe to members' notifications: AggregatorSubscriptionType."""

from __future__ import annotations

from collections.abc import Mapping
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
from aggregator.errors import CollectError
from aggregator.model import Plan
from aggregator.wire.dialects import DIALECTS, GET_PROPERTY, Dialect
from aggregator.wire.epr import EndpointReference
from aggregator.wire.namespaces import AGG, clark
from aggregator.wire.subscribing import CHANGED_ENTRIES
from aggregator.wire.times import SECOND

from ._producer import Granted, renew, subscribe, unsubscribe
from ._received import received
from ._reply import NotSpoken, read_content
from ._request import write_request
from ._subscription import NAME, Subscription, lasts_until, read_block, times

BLOCK = clark(AGG, "AggregatorSubscriptionType")
_POLICY = f'<m:ChangedEntries xmlns:m="{CHANGED_ENTRIES[1:].partition("}")[0]}"/>'.encode()


class SubscriptionAggregatorSource(AggregatorSource):
    """Subscribes at the member when it is added and takes what the member notifies.

    A subscription is renewed at half of its life, and made again where the producer does not know
    it any more. What was missed in between is made up for where the topic is a resource property:
    its value is asked for once after each Subscribe.
    """

    def check(self, block: ConfigBlock, *, group: Group) -> Plan:
        """Read the block as the Subscribe that will be sent."""
        return read_block(block)

    async def establish(self, plan: Plan, *, context: Context) -> Mapping[str, str]:
        """Subscribe, in each dialect until one is understood."""
        return await _subscribed(Subscription.of(plan), context)

    async def collect(self, plan: Plan, *, context: Context) -> Collected:
        """See to it that the subscription is there, and to what was missed before it was."""
        subscription = Subscription.of(plan)
        remember = await _looked_after(subscription, context)
        memory = {**context.memory, **remember}
        content = None
        if memory.get("synced") != memory["consumer"]:
            if "consumer" in remember:
                # Known before anything else is tried, which may fail: else it were made again.
                return Collected(None, remember, again=0.0)
            content = await _current_value(subscription, plan, memory, context)
            remember["synced"] = memory["consumer"]
        wait = (int(memory["renew_at"]) - context.now) / SECOND
        return Collected(content, remember, again=max(1.0, wait))

    async def receive(self, plan: Plan, message: bytes, *, context: Context) -> Collected:
        """Take the new value of a property that has changed, or the message as it is."""
        return received(message, context=context)

    def lasts_until(self, memory: Mapping[str, str]) -> int | None:
        """As long as the subscription."""
        return lasts_until(memory)

    async def release(self, plan: Plan, *, context: Context) -> None:
        """Unsubscribe; a producer that knows of no subscription has nothing to undo."""
        manager = context.memory.get("manager", "")
        if not manager:
            return
        dialect = DIALECTS[context.memory["dialect"]]
        try:
            await unsubscribe(manager.encode(), dialect=dialect, context=context)
        except CollectError as error:
            if error.code != "fault":
                raise
            context.log.info("the producer did not end the subscription: %s", error)


async def _looked_after(subscription: Subscription, context: Context) -> dict[str, str]:
    """Renew the subscription when it is time, or make it again; what to remember."""
    memory = context.memory
    if not memory.get("manager"):
        return await _again(subscription, context)
    if context.now < int(memory["renew_at"]):
        return {}
    dialect = DIALECTS[memory["dialect"]]
    asked = subscription.lifetime(context)
    try:
        lifetime = await renew(
            memory["manager"].encode(),
            until=context.now + round(asked * SECOND),
            lifetime=asked,
            dialect=dialect,
            context=context,
        )
    except CollectError as error:
        has_ended = bool(memory["ends"]) and context.now >= int(memory["ends"])
        if error.code != "fault" and not has_ended:
            raise
        context.log.info("the subscription is made again: %s", error)
        return await _again(subscription, context)
    return times(lifetime, context.now)


async def _again(subscription: Subscription, context: Context) -> dict[str, str]:
    """Subscribe anew, at an address of its own; what comes to the old one is refused then."""
    old = context.memory.get("consumer", "")
    remember = await _subscribed(subscription, context)
    if old:
        await context.consumers.close(old)
    if manager := context.memory.get("manager", ""):
        # It is not known to have gone; at an address of the past it would only fail.
        dialect = DIALECTS[context.memory["dialect"]]
        with suppress(CollectError):
            await unsubscribe(manager.encode(), dialect=dialect, context=context)
    return remember


async def _subscribed(subscription: Subscription, context: Context) -> dict[str, str]:
    consumer = await context.consumers.open()
    mark = context.consumers.mark(consumer)
    try:
        first: CollectError | None = None
        for name in subscription.dialects:
            dialect = DIALECTS[name]
            try:
                granted = await _in_dialect(subscription, dialect, consumer, context)
            except NotSpoken as error:
                first = first or error
                continue
            lifetime = granted.lifetime
            if lifetime is None and dialect.family == "gt4":
                # The draft's response does not say: it is what was asked for.
                lifetime = round(subscription.lifetime(context) * SECOND)
            return {
                "manager": granted.manager.decode(),
                "dialect": dialect.name,
                "consumer": mark,
                "producer": granted.address,
                "tells": "changes" if granted.tells_changes else "values",
                **times(lifetime, context.now),
            }
        raise first or CollectError("no dialect to speak", code="internal")
    except BaseException:
        await context.consumers.close(mark)
        raise


async def _in_dialect(
    subscription: Subscription, dialect: Dialect, consumer: str, context: Context
) -> Granted:
    ask = partial(
        subscribe,
        subscription.request(context, dialect),
        producer=context.member.epr,
        consumer=EndpointReference(consumer),
        dialect=dialect,
        context=context,
    )
    if subscription.policy or not subscription.is_of_entries:
        return await ask(policy=subscription.policy)
    try:
        return await ask(policy=_POLICY)
    except NotSpoken:
        raise
    except CollectError as error:
        if error.code != "fault" or "Policy" not in error.message:
            raise
    # A producer of others, that tells all entries each time.
    return await ask(policy=b"")


async def _current_value(
    subscription: Subscription, plan: Plan, memory: Mapping[str, str], context: Context
) -> tuple[bytes, ...] | None:
    """The value that the topic has now, where it is a property that the member tells."""
    if not subscription.asks_value:
        return None
    dialect = DIALECTS[memory["dialect"]]
    body, headers = write_request(plan, dialect)
    try:
        reply = await context.http.post(context.member.epr.address, body, headers=headers)
        return read_content(reply, operation=GET_PROPERTY.name, dialect=dialect) or None
    except CollectError as error:
        if error.code not in ("fault", "http-status"):
            raise
        return None


PLUGIN = SourceType(NAME, (BLOCK,), SubscriptionAggregatorSource())
