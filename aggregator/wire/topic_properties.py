"""The properties that tell what can be subscribed to (WS-BaseNotification 1.3, section 4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import Dialect
from aggregator.wire.topics import DIALECTS, Topic, in_dialect, write_topic

TOPIC_SET = ns.clark(ns.OASIS_TOPICS, "TopicSet")
"""The one of these properties that no property document holds.

Its elements are named as the topics are, which are properties themselves: who asks for `//sg:Entry`
wants none of them.
"""

#: What is spoken beside the addresses of a dialect's own specification.
_BESIDE = {"gt4": frozenset[str](), "oasis": frozenset({ns.ONVIF_CONCRETE_SET})}


def topic_property_names(dialect: Dialect) -> tuple[str, ...]:
    """The Clark names of the properties, in the order of the property document."""
    names = ("Topic", "FixedTopicSet", "TopicExpressionDialects")
    if dialect.family == "gt4":
        return tuple(ns.clark(dialect.nt, name) for name in names)
    names = ("TopicExpression", "FixedTopicSet", "TopicExpressionDialect")
    return (*(ns.clark(dialect.nt, name) for name in names), TOPIC_SET)


def write_topic_properties(
    topics: Sequence[Topic], *, dialect: Dialect
) -> dict[str, tuple[bytes, ...]]:
    """The elements of each property by its Clark name, for a fixed set of root topics."""
    topic, fixed, spoken, *_ = topic_property_names(dialect)
    draft, final = ns.TOPIC_DIALECTS
    own = draft if dialect.family == "gt4" else final
    addresses = [one for one in DIALECTS if one.startswith(own) or one in _BESIDE[dialect.family]]
    written = {
        topic: tuple(write_topic(one, dialect=dialect, name=_local(topic)) for one in topics),
        fixed: (_element(fixed, "true", dialect),),
        spoken: tuple(_element(spoken, one, dialect) for one in addresses),
    }
    if dialect.family == "oasis":
        written[TOPIC_SET] = (_topic_set(topics, dialect),)
    return written


def _element(name: str, text: str, dialect: Dialect) -> bytes:
    local = _local(name)
    return f'<n:{local} xmlns:n="{dialect.nt}">{text}</n:{local}>'.encode()


def _topic_set(topics: Sequence[Topic], dialect: Dialect) -> bytes:
    """TopicSet (WS-Topics 1.3, section 7), which has no place for names without a namespace."""
    named = [in_dialect(topic[0], dialect)[1:].rpartition("}") for topic in topics]
    inner = "".join(
        f'<p:{local} xmlns:p={quoteattr(namespace)} t:topic="true"/>'
        for namespace, _, local in named
        if namespace
    )
    return f'<t:TopicSet xmlns:t="{ns.OASIS_TOPICS}">{inner}</t:TopicSet>'.encode()


def _local(name: str) -> str:
    return name.rpartition("}")[2]
