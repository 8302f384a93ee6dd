"""Messages to fetch, as a registration asks for it: read from its block, kept in its plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from aggregator.contract import ConfigBlock, Context, Group
from aggregator.errors import ConfigError
from aggregator.model import Plan
from aggregator.wire.dialects import OASIS
from aggregator.wire.epr import EndpointReference
from aggregator.wire.namespaces import ANONYMOUS
from aggregator.wire.parse import Element, text_of
from aggregator.wire.subscribing import Condition, Subscribe
from aggregator.wire.times import SECOND, parse_duration
from aggregator.wire.topics import TopicExpression, parse_topic_expression

from ._block import children, read_address, read_interval
from ._subscription import conditions, read_conditions, read_policy, read_topic

NAME = "PullPointAggregatorSource"
#: Seconds that a device may take until there is a first message, without any word of it.
_WAIT = 1.0
#: The longest that it may be told to take: meanwhile it keeps one of the collector's connections.
_LONGEST_WAIT = 10.0


@dataclass(frozen=True, slots=True)
class Pull:
    """What to fetch: ``factory`` makes pull points, empty where the member itself does; ``wait`` is
    for how many seconds a device waits for a first message."""

    topic: TopicExpression | None
    contents: tuple[Condition, ...]
    properties: tuple[Condition, ...]
    policy: bytes
    factory: str
    wait: float

    @staticmethod
    def of(plan: Plan) -> Pull:
        """What a plan that `read_block` made asks for."""
        data: Mapping[str, Any] = plan.data
        topic = data["topic"]
        return Pull(
            topic=topic
            and parse_topic_expression(
                topic["text"], dialect=topic["dialect"], scope=topic["scope"]
            ),
            contents=conditions(data["contents"]),
            properties=conditions(data["properties"]),
            policy=data["policy"].encode(),
            factory=data["factory"],
            wait=data["wait"],
        )

    def request(self, context: Context) -> Subscribe:
        """The subscription to ask for, for a time from now on: clocks need not agree."""
        return Subscribe(
            consumer=EndpointReference(ANONYMOUS, wsa=OASIS.wsa),
            consumer_xml=b"",
            topics=() if self.topic is None else (self.topic,),
            contents=self.contents,
            properties=self.properties,
            termination=f"PT{round(context.subscription_lifetime)}S",
        )


def read_block(block: ConfigBlock, *, group: Group) -> Plan:
    """The plan for an AggregatorPullPointType; raises ConfigError, naming the element."""
    element = block.element
    topics = children(element, "TopicExpression")
    if len(topics) > 1:
        raise ConfigError(
            f"given {len(topics)} times; at most one is taken", element="TopicExpression"
        )
    topic = read_topic(topics[0]) if topics else None
    data: dict[str, object] = {
        "address": read_address(block),
        "topic": topic
        and {"text": topic.text, "dialect": topic.dialect, "scope": dict(topic.scope)},
        "contents": read_conditions(element, "Selector"),
        "properties": read_conditions(element, "Precondition"),
        "policy": read_policy(element),
        "factory": _factory(element),
        "wait": _wait(element),
    }
    # A turn brings messages, not the data: those are received like any that are sent.
    return Plan(NAME, 0, data, upkeep=read_interval(element, group=group))


def _factory(block: Element) -> str:
    found = children(block, "PullPointFactory")
    if not found:
        return ""
    address = text_of(found[0])
    try:
        parts = urlsplit(address)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one or len(found) > 1 or not address.isprintable() or " " in address:
        raise ConfigError(
            f"{address[:200]!r} makes no pull points; one http or https address is needed",
            element="PullPointFactory",
        )
    return address


def _wait(block: Element) -> float:
    found = children(block, "Timeout")
    if not found:
        return _WAIT
    try:
        until = parse_duration(text_of(found[0]), start=0)
    except ValueError as error:
        raise ConfigError(str(error), element="Timeout") from error
    if until is None or not 0 <= until <= _LONGEST_WAIT * SECOND:
        raise ConfigError(
            f"{text_of(found[0])[:40]!r} is not from PT0S to PT{_LONGEST_WAIT:g}S",
            element="Timeout",
        )
    return until / SECOND
