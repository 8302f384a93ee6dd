"""Events that are collected: how one waits in an inbox, and the XML that is made of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from lxml import etree

from aggregator.errors import EventUnreadable, EventUnwritable, MalformedRequest
from aggregator.events.encoding import TYPE_HEADER, decode, encode
from aggregator.events.messages import RawMessage
from aggregator.events.transport.contract import Delivery
from aggregator.events.xml_format import NAMESPACE
from aggregator.wire.parse import Limits, parse, serialise

_RAW = f"{{{NAMESPACE}}}Raw"
#: What is kept of the headers, which anybody may have written, and how long each may be.
_HEADERS, _LONGEST = (TYPE_HEADER, "sender", "sender-name", "event-key"), 300
#: An event grows when it is written as XML: a character may take six bytes.
_GROWS = 8


def dumped(delivery: Delivery) -> bytes:
    """A message as it waits: a line of JSON that says what it is, and its bytes."""
    headers = {
        name: value if isinstance(value, int) else str(value)[:_LONGEST]
        for name in _HEADERS
        # A table may be too deep to be written down.
        if isinstance(value := delivery.headers.get(name), str | bytes | int | float)
    }
    said = {
        "topic": delivery.routing_key,
        "content_type": delivery.content_type[:_LONGEST],
        "headers": headers,
    }
    return json.dumps(said).encode() + b"\n" + delivery.body


def document(waiting: bytes, *, limit: int) -> bytes:
    """The element that a message of `dumped` becomes, serialised.

    An event is one as `xml_format` writes it; a message of others is itself where it is XML, else
    a Raw element that holds its text, or its bytes in base64. Raises EventUnreadable for what has
    more than `limit` bytes, claims to be an event and is none, or can't be said in XML.
    """
    line, _, body = waiting.partition(b"\n")
    said: Mapping[str, Any] = json.loads(line)
    try:
        message = decode(body, said["content_type"], said["headers"], limit=limit)
        if isinstance(message, RawMessage):
            return _raw(message, said, limit)
        written = encode(message, encoding="xml", limit=_GROWS * limit)
        root = parse(written.body, limits=Limits(size=_GROWS * limit, nodes=10_000_000))
        _say(root, said)
        return serialise(root)
    except (EventUnwritable, MalformedRequest) as error:
        raise EventUnreadable(f"the event can't be published as XML: {error}") from error


def _raw(message: RawMessage, said: Mapping[str, Any], limit: int) -> bytes:
    if message.body.lstrip()[:1] == b"<":
        try:
            return serialise(parse(message.body, limits=Limits(size=limit)))
        except MalformedRequest:
            pass  # What only looks like it is a text like any other.
    root = etree.Element(_RAW, nsmap={None: NAMESPACE})  # type: ignore[dict-item]
    root.set("contentType", _plain(message.content_type))
    if message.type_id is not None:
        root.set("messageType", str(message.type_id))
    try:
        root.text = message.body.decode()
        root.set("encoding", "text")
    except ValueError:
        # Neither text at all, nor with characters that XML has none for.
        root.text = base64.b64encode(message.body).decode()
        root.set("encoding", "base64")
    _say(root, said)
    return serialise(root)


def _say(root: etree._Element, said: Mapping[str, Any]) -> None:
    """Add what its message said of an event: readers of events pass over such attributes."""
    headers = said["headers"]
    for name, value in (
        ("topic", said["topic"]),
        ("sender", headers.get("sender-name") or headers.get("sender")),
        ("key", headers.get("event-key")),
    ):
        if value:
            root.set(name, _plain(str(value)))


def _plain(text: str) -> str:
    """The text without what XML has no characters for."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
