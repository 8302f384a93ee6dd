"""What the requests of WS-BaseNotification ask of the member, read from their elements."""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.errors import (
    InvalidTopicExpression,
    MalformedRequest,
    TerminationTimeRejected,
)
from aggregator.wire.dialects import (
    DESTROY,
    GET_CURRENT_MESSAGE,
    GET_DOCUMENT,
    GET_PROPERTIES,
    GET_PROPERTY,
    PAUSE,
    RENEW,
    RESUME,
    SET_TERMINATION_TIME,
    SUBSCRIBE,
    UNSUBSCRIBE,
    Dialect,
    Operation,
)
from aggregator.wire.namespaces import XSI, clark
from aggregator.wire.parse import Element, text_of
from aggregator.wire.subscribing import Subscribe, read_subscribe
from aggregator.wire.topics import TopicExpression, read_topic_expression

PRODUCER = (SUBSCRIBE, GET_CURRENT_MESSAGE)
"""What is asked of the resource itself."""
MANAGER = (RENEW, UNSUBSCRIBE, PAUSE, RESUME, SET_TERMINATION_TIME, DESTROY)
"""What is asked of a subscription."""
MANAGER_READS = (GET_PROPERTY, GET_PROPERTIES, GET_DOCUMENT)
"""What is asked of a subscription that it is asked of the resource too."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The subscription that is wanted, the topic that is named, or the time that is asked for:
    a xsd:dateTime or xsd:duration, empty for ever."""

    subscribe: Subscribe | None = None
    topic: TopicExpression | None = None
    until: str = ""


def read_asked(operation: Operation, body: Element, *, dialect: Dialect) -> Asked:
    """What an operation of `PRODUCER` or `MANAGER` asks for; raises RequestError."""
    if operation is SUBSCRIBE:
        return Asked(subscribe=read_subscribe(body, dialect=dialect))
    if operation is GET_CURRENT_MESSAGE:
        topic = next(body.iterchildren("{*}Topic"), None)
        if topic is None:
            raise InvalidTopicExpression("GetCurrentMessage names no Topic")
        return Asked(topic=read_topic_expression(topic))
    if operation is RENEW:
        return Asked(until=_until(body, "TerminationTime"))
    if operation is SET_TERMINATION_TIME:
        return Asked(until=_until(body, "RequestedTerminationTime", "RequestedLifetimeDuration"))
    return Asked()


def _until(body: Element, *names: str) -> str:
    for name in names:
        element = next(body.iterchildren(f"{{*}}{name}"), None)
        if element is None:
            continue
        if element.get(clark(XSI, "nil"), "").strip() in ("true", "1"):
            return ""
        if not text_of(element):
            raise TerminationTimeRejected(f"{name} is empty")
        return text_of(element)
    raise MalformedRequest(f"the request holds no {' or '.join(names)}")
