"""The state of an ONVIF device: the last message of each of its properties and events."""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.wire.dialects import OASIS
from aggregator.wire.namespaces import ONVIF_SCHEMA, clark
from aggregator.wire.parse import NO_LIMITS, Element, parse, serialise, text_of

MESSAGE = clark(ONVIF_SCHEMA, "Message")
"""The payload of a device's notifications (ONVIF Core, on the notification structure)."""

_ITEM = clark(ONVIF_SCHEMA, "SimpleItem")
_TOPIC = clark(OASIS.nt, "Topic")
#: Properties that are kept of one device; the one that was told of longest ago goes first.
_MOST = 500


def device_state(content: Sequence[bytes], notification: Element) -> tuple[bytes, ...]:
    """`content` with a NotificationMessage in place of the last one of the same property.

    A property is a topic with what Source and Key of the message say. One that was deleted goes.
    """
    state = {_property(parse(one, limits=NO_LIMITS)): one for one in content}
    name = _property(notification)
    # The one that was told last is last.
    state.pop(name, None)
    if _message(notification).get("PropertyOperation") != "Deleted":
        state[name] = _kept(notification)
    return tuple(state.values())[-_MOST:]


def _property(notification: Element) -> tuple[str, ...]:
    topic = notification.find(_TOPIC)
    named = "" if topic is None else _named(topic)
    parts = [f"{name}={value}" for name, value in sorted(_items(_message(notification)))]
    return named, *parts


def _named(topic: Element) -> str:
    """The topic's path, the root's prefix resolved: each message may choose its own."""
    root, slash, rest = text_of(topic).partition("/")
    prefix, colon, local = root.partition(":")
    namespace = topic.nsmap.get(prefix) if colon else None
    return (clark(str(namespace), local) if namespace else root) + slash + rest


def _items(message: Element) -> list[tuple[str, str]]:
    return [
        (f"{part}/{item.get('Name', '')}", item.get("Value", ""))
        for part in ("Source", "Key")
        for holder in message.iterchildren(clark(ONVIF_SCHEMA, part))
        for item in holder.iterchildren(_ITEM)
    ]


def _message(notification: Element) -> Element:
    found = notification.find(f"{{*}}Message/{MESSAGE}")
    return notification if found is None else found


def _kept(notification: Element) -> bytes:
    """The notification without references, which are our subscription's alone."""
    for child in list(notification.iterchildren(tag="*")):
        if str(child.tag).rpartition("}")[2] in ("SubscriptionReference", "ProducerReference"):
            notification.remove(child)
    return serialise(notification)
