"""A subscription as a registration asks for it: read from its block, kept in its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aggregator.contract import ConfigBlock, Context
from aggregator.errors import ConfigError, InvalidQuery, RequestError
from aggregator.model import Plan
from aggregator.wire.dialects import FAMILIES, GET_PROPERTY, GT4, OASIS, Dialect
from aggregator.wire.namespaces import TOPIC_DIALECTS, WSA_2005_08, clark
from aggregator.wire.parse import Element, serialise, text_of
from aggregator.wire.qnames import read_qname
from aggregator.wire.subscribing import Condition, Subscribe, read_condition
from aggregator.wire.times import SECOND, format_datetime, parse_datetime
from aggregator.wire.topics import TopicExpression, parse_topic_expression, read_topic_expression

from ._block import children, only_child, read_address
from ._request import Question, build_requests

NAME = "SubscriptionAggregatorSource"
#: How often it is looked after a subscription that something is wrong with, in milliseconds.
_UPKEEP = 5_000
#: A subscription that never ends is renewed all the same: so it is seen that it is still there.
_LOOKED_AFTER = 3600 * SECOND
_NEVER = 253_370_764_800 * SECOND
_ENTRY = frozenset(clark(dialect.sg, "Entry") for dialect in FAMILIES)


@dataclass(frozen=True, slots=True)
class Subscription:
    """What to subscribe to; ``dialects`` are to be tried in their order.

    ``policy`` is the content of the SubscriptionPolicy, ``termination`` the instant that the
    registration asks for first, 0 where it names none. ``is_of_entries`` tells whether the topic
    is a group's Entry, ``asks_value`` whether it may be a property whose value can be asked for.
    """

    topic: TopicExpression
    contents: tuple[Condition, ...]
    properties: tuple[Condition, ...]
    policy: bytes
    termination: int
    dialects: tuple[str, ...]
    is_of_entries: bool
    asks_value: bool

    @staticmethod
    def of(plan: Plan) -> Subscription:
        """The subscription of a plan that `read_block` made."""
        data: Mapping[str, Any] = plan.data
        topic = data["topic"]
        return Subscription(
            topic=parse_topic_expression(
                topic["text"], dialect=topic["dialect"], scope=topic["scope"]
            ),
            contents=conditions(data["contents"]),
            properties=conditions(data["properties"]),
            policy=data["policy"].encode(),
            termination=data["termination"],
            dialects=tuple(data["dialects"]),
            is_of_entries=data["is_of_entries"],
            asks_value="requests" in data,
        )

    def lifetime(self, context: Context) -> float:
        """For how many seconds to ask: those that the registration still wants, else ours."""
        wanted = (self.termination - context.now) / SECOND
        return max(1.0, wanted) if wanted > 0 else context.subscription_lifetime

    def request(self, context: Context, dialect: Dialect) -> Subscribe:
        """The Subscribe to send now."""
        seconds = self.lifetime(context)
        # A time from now on needs no clocks that agree; the draft has no such thing.
        asked = f"PT{round(seconds)}S"
        if dialect.family == "gt4":
            asked = format_datetime(context.now + round(seconds * SECOND))
        return Subscribe(
            consumer=context.member.epr,
            consumer_xml=b"",
            topics=(self.topic,),
            contents=self.contents,
            properties=self.properties,
            termination=asked,
        )


def times(lifetime: int | None, now: int) -> dict[str, str]:
    """When a subscription ends and is to be renewed, by the store's clock; to be remembered."""
    half = min((lifetime or 2 * _LOOKED_AFTER) // 2, _LOOKED_AFTER)
    return {"ends": "" if lifetime is None else str(now + lifetime), "renew_at": str(now + half)}


def lasts_until(memory: Mapping[str, str]) -> int | None:
    """When the subscription that is remembered ends; a year 9999 where it never does."""
    if "ends" not in memory:
        return None
    return int(memory["ends"]) if memory["ends"] else _NEVER


def read_block(block: ConfigBlock) -> Plan:
    """The plan for an AggregatorSubscriptionType; raises ConfigError, naming the element."""
    element = block.element
    topic = read_topic(only_child(element, "TopicExpression"))
    data: dict[str, object] = {
        "address": read_address(block),
        "topic": {"text": topic.text, "dialect": topic.dialect, "scope": dict(topic.scope)},
        "contents": read_conditions(element, "Selector"),
        "properties": read_conditions(element, "Precondition"),
        "policy": read_policy(element),
        "termination": read_termination(element),
        "dialects": _dialects(block, topic),
        "is_of_entries": False,
    }
    # A topic of one step is the name of a property, if it is one of those.
    if "/" not in topic.text and topic.text.strip().isprintable():
        name = _property(element, topic)
        if name:
            data["is_of_entries"] = name in _ENTRY
            data["operation"] = GET_PROPERTY.name
            question = Question(GET_PROPERTY.name, names=(name,))
            data["requests"] = build_requests(question, member=block.member)
    return Plan(NAME, 0, data, upkeep=_UPKEEP)


def read_topic(element: Element) -> TopicExpression:
    """The expression that an element holds; Simple is its dialect where it names none."""
    try:
        return read_topic_expression(element, default=f"{TOPIC_DIALECTS[0]}Simple")
    except RequestError as error:
        raise ConfigError(error.message, element="TopicExpression") from error


def _property(element: Element, topic: TopicExpression) -> str:
    holder = only_child(element, "TopicExpression")
    try:
        return read_qname(holder, text=topic.text)
    except ConfigError:
        return ""


def read_conditions(block: Element, name: str) -> list[dict[str, object]]:
    """The one XPath, if any, that the children `name` of a block hold, as a plan keeps it."""
    found = children(block, name)
    if len(found) > 1:
        raise ConfigError(f"given {len(found)} times; at most one is taken", element=name)
    try:
        conditions = [read_condition(element) for element in found]
    except InvalidQuery as error:
        raise ConfigError(error.message, element=name) from error
    return [{"expression": one.expression, "scope": dict(one.scope)} for one in conditions]


def conditions(data: Sequence[Mapping[str, Any]]) -> tuple[Condition, ...]:
    """What `read_conditions` read."""
    return tuple(Condition(one["expression"], one["scope"]) for one in data)


def read_policy(block: Element) -> str:
    """What the SubscriptionPolicy of a block holds."""
    found = children(block, "SubscriptionPolicy")
    if len(found) > 1:
        raise ConfigError("given more than once", element="SubscriptionPolicy")
    inner = (serialise(child) for holder in found for child in holder.iterchildren(tag="*"))
    return b"".join(inner).decode()


def read_termination(block: Element) -> int:
    """The InitialTerminationTime of a block, 0 where it has none."""
    found = children(block, "InitialTerminationTime")
    if not found:
        return 0
    try:
        # An instant: a time from now on would have run out before it is asked for again.
        return parse_datetime(text_of(found[0])) or 0
    except ValueError as error:
        raise ConfigError(str(error), element="InitialTerminationTime") from error


def _dialects(block: ConfigBlock, topic: TopicExpression) -> list[str]:
    """The dialects to try: first that of the topic expression, or of the member's EPR."""
    is_final = block.member.wsa == WSA_2005_08
    if not topic.dialect.startswith(TOPIC_DIALECTS[0]):
        is_final = True
    first, second = (OASIS, GT4) if is_final else (GT4, OASIS)
    return [first.name, second.name]
