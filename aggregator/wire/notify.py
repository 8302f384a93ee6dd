"""Notify and what is in it, read from both versions of WS-BaseNotification and written in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from aggregator.errors import ConfigError, MalformedRequest
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import FAMILIES, Dialect
from aggregator.wire.epr import read_epr
from aggregator.wire.parse import Element, serialise, serialise_all
from aggregator.wire.times import format_datetime

_NOTIFY = frozenset(ns.clark(dialect.nt, "Notify") for dialect in FAMILIES)
"""The Clark names of the element that wraps notifications."""

_MESSAGE = frozenset(ns.clark(dialect.nt, "NotificationMessage") for dialect in FAMILIES)
#: So many times the size of a request may its parts have, each with the namespaces in scope.
_UNFOLDED = 4
_CHANGE = "ResourcePropertyValueChangeNotification"
_CHANGES = frozenset(ns.clark(dialect.rp, _CHANGE) for dialect in FAMILIES)
_VALUES = frozenset(
    ns.clark(dialect.rp, name)
    for dialect in FAMILIES
    for name in ("OldValue", "NewValue", "OldValues", "NewValues")
)


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification that arrived: its message, and who says to have sent it.

    ``producer`` is an address, empty where it does not tell. ``payload`` is the message's element;
    the holder itself where that holds nothing but text.
    """

    payload: Element
    producer: str = ""


@dataclass(frozen=True, slots=True)
class ValueChange:
    """A ResourcePropertyValueChangeNotification: the property's elements before and after.

    Either is None where the message does not hold it, empty where the property has no value.
    """

    old: tuple[Element, ...] | None
    new: tuple[Element, ...] | None


def notifications_of(body: Element) -> list[Element]:
    """The NotificationMessage elements of a Notify; a raw message stands for itself."""
    if body.tag not in _NOTIFY:
        return [body]
    found = [child for child in body.iterchildren(tag="*") if child.tag in _MESSAGE]
    if not found:
        raise MalformedRequest("the Notify holds no NotificationMessage")
    return found


def read_notify(body: Element, *, largest: int) -> tuple[list[Notification], tuple[bytes, ...]]:
    """What a Notify or a raw message holds, and each part serialised by itself.

    `largest` is how many bytes the request may have; with the namespaces in scope the parts may
    have some times as many. Raises MalformedRequest and RequestTooLarge.
    """
    elements = notifications_of(body)
    found = [read_notification(element) for element in elements]
    return found, serialise_all(elements, limit=_UNFOLDED * largest)


def read_notification(element: Element) -> Notification:
    """What a NotificationMessage, or a raw message, holds; raises MalformedRequest."""
    if element.tag not in _MESSAGE:
        return Notification(element)
    parts = {str(child.tag).rpartition("}")[2]: child for child in element.iterchildren(tag="*")}
    message = parts.get("Message")
    if message is None:
        raise MalformedRequest("a NotificationMessage has no Message")
    payload = next(message.iterchildren(tag="*"), message)
    if payload.tag in _VALUES:
        # A Message that is itself the change, by its xsi:type: the drafts declare it as anyType.
        payload = message
    return Notification(payload, producer=_address(parts.get("ProducerReference")))


def value_change(payload: Element) -> ValueChange | None:
    """The change of a resource property that a message tells of, None for any other message.

    The element itself may be wrapped once more, as Axis writes a message of type anyType.
    """
    change = payload
    inner = list(payload.iterchildren(tag="*"))
    is_change = change.tag in _CHANGES or (inner and inner[0].tag in _VALUES)
    if not is_change:
        if len(inner) != 1 or inner[0].tag not in _CHANGES:
            return None
        change = inner[0]
    values: dict[str, tuple[Element, ...]] = {}
    for child in change.iterchildren(tag="*"):
        # Value in the draft, Values in the final standard.
        name = str(child.tag).rpartition("}")[2].removesuffix("s")
        values[name] = tuple(child.iterchildren(tag="*"))
    return ValueChange(values.get("OldValue"), values.get("NewValue"))


def write_value_change(new: bytes | None, *, dialect: Dialect, old: bytes | None = None) -> bytes:
    """The message that a property has changed (WS-ResourceProperties 1.2, section 6).

    `new` and `old` are the serialised elements; NewValue is demanded, so that it is nil for None.
    """
    plural = "" if dialect.family == "gt4" else "s"
    before = b"" if old is None else f"<rp:OldValue{plural}>".encode() + old
    before += b"" if old is None else f"</rp:OldValue{plural}>".encode()
    after = f'<rp:NewValue{plural} xmlns:xsi="{ns.XSI}" xsi:nil="true"/>'.encode()
    if new is not None:
        after = f"<rp:NewValue{plural}>".encode() + new + f"</rp:NewValue{plural}>".encode()
    head = f'<rp:{_CHANGE} xmlns:rp="{dialect.rp}">'.encode()
    return head + before + after + f"</rp:{_CHANGE}>".encode()


def write_termination(at: int, reason: str, *, dialect: Dialect) -> bytes:
    """The message that a resource ends (WS-ResourceLifetime 1.2, section 6)."""
    return (
        f'<rl:TerminationNotification xmlns:rl="{dialect.rl}"><rl:TerminationTime>'
        f"{format_datetime(at)}</rl:TerminationTime><rl:TerminationReason>{escape(reason)}"
        "</rl:TerminationReason></rl:TerminationNotification>"
    ).encode()


def write_notification(
    message: bytes, *, dialect: Dialect, topic: bytes, producer: bytes = b"", manager: bytes = b""
) -> bytes:
    """A NotificationMessage around a message.

    `topic`, `producer` and `manager` are the ready elements Topic, ProducerReference and
    SubscriptionReference; the draft has no place for the last.
    """
    own = b"" if dialect.family == "gt4" else manager
    head = f'<n:NotificationMessage xmlns:n="{dialect.nt}">'.encode()
    inner = b"<n:Message>" + message + b"</n:Message></n:NotificationMessage>"
    return head + own + topic + producer + inner


def write_notify(messages: Iterable[bytes], *, dialect: Dialect) -> bytes:
    """A Notify around NotificationMessage elements."""
    head = f'<n:Notify xmlns:n="{dialect.nt}">'.encode()
    return head + b"".join(messages) + b"</n:Notify>"


def kept(elements: Sequence[Element]) -> tuple[bytes, ...]:
    """Elements as bytes with every namespace in their scope."""
    return tuple(map(serialise, elements))


def _address(element: Element | None) -> str:
    if element is None:
        return ""
    try:
        return read_epr(element).address
    except ConfigError:
        return ""
