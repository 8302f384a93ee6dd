"""Pull points: what asks for messages, and what is answered.

WS-BaseNotification 1.3, sections 5.1 and 5.2, which the drafts have not; ONVIF Core, on the
real-time pull-point notification interface.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from aggregator.errors import PullFailed
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import OASIS
from aggregator.wire.epr import EndpointReference, write_epr
from aggregator.wire.parse import Element, text_of
from aggregator.wire.subscribing import Subscribe, write_conditions, write_topic_expression
from aggregator.wire.times import SECOND, format_datetime, parse_duration
from aggregator.wire.topics import DIALECTS

_WHOLE = re.compile(r"\+?(\d{1,100})", re.ASCII)
_NEVER = "9999-12-31T23:59:59Z"


class Pull(NamedTuple):
    """A PullMessages: for how many seconds to wait for a first message, and how many to give."""

    wait: float
    most: int


def read_get_messages(body: Element, *, most: int) -> int:
    """How many messages a GetMessages asks for: at most `most`, which it gets without a number."""
    element = _child(body, "MaximumNumber")
    return most if element is None else min(most, _number(element, least=0))


def read_pull_messages(body: Element, *, longest: float, most: int) -> Pull:
    """What a PullMessages asks for, cut to what is given at once.

    An answer may come early and with fewer messages, so that more is asked in vain but no mistake.
    """
    limit, timeout = _child(body, "MessageLimit"), _child(body, "Timeout")
    if limit is None or timeout is None:
        raise PullFailed("the PullMessages has no Timeout or no MessageLimit; it must have both")
    try:
        until = parse_duration(text_of(timeout), start=0)
    except ValueError as error:
        raise PullFailed(f"Timeout: {error}") from error
    wait = longest if until is None else max(0.0, until / SECOND)
    return Pull(min(wait, longest), min(most, _number(limit, least=1)))


def write_get_messages(most: int) -> bytes:
    """A GetMessages to send."""
    return _wrapped("GetMessages", OASIS.nt, _texts("r:MaximumNumber", [str(most)]))


def write_pull_messages(wait: float, most: int) -> bytes:
    """A PullMessages to send, that waits `wait` seconds for a first message."""
    asked = _texts("r:Timeout", [f"PT{wait:g}S"]) + _texts("r:MessageLimit", [str(most)])
    return _wrapped("PullMessages", ns.ONVIF_EVENTS, asked)


def write_pull_subscription(request: Subscribe) -> bytes:
    """A CreatePullPointSubscription to send."""
    topics = [write_topic_expression(topic, dialect=OASIS) for topic in request.topics]
    contents, properties = write_conditions(request, dialect=OASIS, contents=ns.ONVIF_ITEM_FILTER)
    inner = b"".join((*topics, properties, contents))
    filters = b"<r:Filter>" + inner + b"</r:Filter>" if inner else b""
    time = _texts("r:InitialTerminationTime", [request.termination])
    return _wrapped("CreatePullPointSubscription", ns.ONVIF_EVENTS, filters, time)


def pull_point_response(pull_point: EndpointReference) -> bytes:
    """The CreatePullPointResponse."""
    reference = write_epr(pull_point, name="PullPoint", namespace=OASIS.nt, dialect=OASIS)
    return _wrapped("CreatePullPointResponse", OASIS.nt, reference)


def messages_response(messages: Sequence[bytes]) -> bytes:
    """The GetMessagesResponse around NotificationMessage elements."""
    return _wrapped("GetMessagesResponse", OASIS.nt, *messages)


def pull_subscription_response(
    manager: EndpointReference, *, now: int, termination: int | None
) -> bytes:
    """The CreatePullPointSubscriptionResponse."""
    reference = write_epr(
        manager, name="SubscriptionReference", namespace=ns.ONVIF_EVENTS, dialect=OASIS
    )
    times = _times("n", now, termination)
    return _wrapped("CreatePullPointSubscriptionResponse", ns.ONVIF_EVENTS, reference, times)


def pull_response(messages: Sequence[bytes], *, now: int, termination: int | None) -> bytes:
    """The PullMessagesResponse."""
    times = _times("r", now, termination)
    return _wrapped("PullMessagesResponse", ns.ONVIF_EVENTS, times, *messages)


def event_properties_response(topic_set: bytes, *, schemas: Sequence[str]) -> bytes:
    """The GetEventPropertiesResponse around the element TopicSet.

    `schemas` are the addresses of the schemas of what is published.
    """
    spoken = [one for one in DIALECTS if not one.startswith(ns.TOPIC_DIALECTS[0])]
    return _wrapped(
        "GetEventPropertiesResponse",
        ns.ONVIF_EVENTS,
        _texts("r:TopicNamespaceLocation", schemas),
        _texts("n:FixedTopicSet", ["true"]),
        topic_set,
        _texts("n:TopicExpressionDialect", spoken),
        _texts("r:MessageContentFilterDialect", [ns.ONVIF_ITEM_FILTER, ns.XPATH_1]),
        _texts("r:ProducerPropertiesFilterDialect", [ns.XPATH_1]),
        _texts("r:MessageContentSchemaLocation", schemas),
    )


def event_capabilities_response(*, most: int) -> bytes:
    """The GetServiceCapabilitiesResponse; `most` is how many subscriptions there may be."""
    told = (
        '<r:Capabilities WSSubscriptionPolicySupport="true" WSPullPointSupport="true" '
        'WSPausableSubscriptionManagerInterfaceSupport="true" '
        f'MaxNotificationProducers="{most}" MaxPullPoints="{most}" '
        'PersistentNotificationStorage="false"/>'
    )
    return _wrapped("GetServiceCapabilitiesResponse", ns.ONVIF_EVENTS, told.encode())


def _times(prefix: str, now: int, termination: int | None) -> bytes:
    """The present and the end, which these answers have in any case."""
    end = _NEVER if termination is None else format_datetime(termination)
    return _texts(f"{prefix}:CurrentTime", [format_datetime(now)]) + _texts(
        f"{prefix}:TerminationTime", [end]
    )


def _texts(name: str, values: Iterable[str]) -> bytes:
    return "".join(f"<{name}>{escape(value)}</{name}>" for value in values).encode()


def _wrapped(name: str, namespace: str, *inner: bytes) -> bytes:
    head = f'<r:{name} xmlns:r="{namespace}" xmlns:n="{OASIS.nt}">'.encode()
    return b"".join((head, *inner, f"</r:{name}>".encode()))


def _number(element: Element, *, least: int) -> int:
    found = _WHOLE.fullmatch(text_of(element))
    if found is None or int(found[1]) < least:
        name = str(element.tag).rpartition("}")[2]
        raise PullFailed(
            f"{name} is {text_of(element)[:40]!r}; it must be a whole number of at least {least}"
        )
    return int(found[1])


def _child(body: Element, name: str) -> Element | None:
    return next(body.iterchildren(f"{{*}}{name}"), None)
