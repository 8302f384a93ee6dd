"""Events as XML."""

from __future__ import annotations

import math
from typing import Any

from lxml import etree

from aggregator.errors import EventUnreadable, EventUnwritable, MalformedRequest
from aggregator.events.tree import DEEPEST, VERSION, EnumNode, MessageNode
from aggregator.wire.parse import Limits, parse

CONTENT_TYPE = "application/vnd.mds-aggregator.event+xml"
NAMESPACE = "urn:mds-aggregator:events"
_EVENT, _MESSAGE, _FIELD, _ITEM = (
    f"{{{NAMESPACE}}}{name}" for name in ("Event", "Message", "Field", "Item")
)
#: Two elements for each message and field around it, and some for the document.
_DEPTH = 2 * DEEPEST + 8
_NODES = 50_000
#: Digits of an integer of 64 bits, and its sign.
_DIGITS = 20
#: As XML Schema writes them, which Python reads, but for its own words for them.
_NO_NUMBERS = {"inf": "INF", "-inf": "-INF", "nan": "NaN"}


def write(message: MessageNode) -> bytes:
    """The document of a message; EventUnwritable for texts that XML has no characters for."""
    spaces: dict[Any, str] = {None: NAMESPACE}
    root = etree.Element(_EVENT, {"version": str(VERSION)}, nsmap=spaces)
    try:
        _write_message(root, message)
    except ValueError as error:
        raise EventUnwritable(f"a text can't be written as XML; JSON can: {error}") from error
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _write_message(parent: etree._Element, message: MessageNode) -> None:
    attributes = {
        "type": str(message.type_id),
        "typeVersion": str(message.type_version),
        "name": message.name,
    }
    element = etree.SubElement(parent, _MESSAGE, attributes)
    for name, value in message.values.items():
        _write_field(etree.SubElement(element, _FIELD, {"name": name}), value)


def _write_field(field: etree._Element, value: Any) -> None:
    if isinstance(value, MessageNode):
        field.set("kind", "message")
        _write_message(field, value)
    elif isinstance(value, EnumNode):
        field.set("kind", "enum")
        field.set("number", str(value.number))
        field.text = value.name
    elif isinstance(value, list):
        field.set("kind", "list")
        for text in value:
            etree.SubElement(field, _ITEM).text = text
    elif isinstance(value, float):
        field.set("kind", "double")
        field.text = _NO_NUMBERS.get(str(value), repr(value))
    elif isinstance(value, int):
        field.set("kind", "int")
        field.text = str(value)
    else:
        field.set("kind", "text")
        field.text = value


def read(body: bytes, limit: int) -> MessageNode:
    """The message of a document of at most `limit` bytes; raises EventUnreadable."""
    try:
        root = parse(body, limits=Limits(size=limit, depth=_DEPTH, nodes=_NODES))
    except MalformedRequest as error:
        raise EventUnreadable(f"the message is no XML: {error}") from error
    if root.tag != _EVENT:
        raise EventUnreadable(f"the message is no {{{NAMESPACE}}}Event")
    if (root.get("version") or "").strip() != str(VERSION):
        raise EventUnreadable(
            f"the message is of version {root.get('version')!r:.20}; {VERSION} is read here"
        )
    return _only_message(root)


def _only_message(parent: etree._Element) -> MessageNode:
    found = parent.findall(_MESSAGE)
    if len(found) != 1:
        raise EventUnreadable(f"{len(found)} messages stand where one is expected")
    (element,) = found
    values = {}
    for field in element.findall(_FIELD):
        name = field.get("name") or ""
        values[name] = _value(field, name)
    return MessageNode(
        _integer(element.get("type"), "the type of a message"),
        _integer(element.get("typeVersion", "1"), "the version of a type"),
        element.get("name") or "",
        values,
    )


def _value(field: etree._Element, name: str) -> Any:
    kind = field.get("kind", "text")
    text = _text(field)
    match kind:
        case "text":
            return text
        case "message":
            return _only_message(field)
        case "enum":
            return EnumNode(_integer(field.get("number"), name), text.strip())
        case "list":
            return [_text(item) for item in field.findall(_ITEM)]
        case "int":
            return _integer(text, name)
        case "double":
            return _double(text, name)
    raise EventUnreadable(f"{name:.60} is of the kind {kind!r:.30}, which is not known here")


def _text(element: etree._Element) -> str:
    """The text as it is, space included, around comments."""
    return (element.text or "") + "".join(child.tail or "" for child in element)


def _integer(text: str | None, what: str) -> int:
    stripped = (text or "").strip()
    if len(stripped) <= _DIGITS and stripped.isascii() and "_" not in stripped:
        try:
            return int(stripped)
        except ValueError:
            pass
    raise EventUnreadable(f"{what:.60} is {text!r:.40}, no whole number of 64 bits")


def _double(text: str, what: str) -> float:
    stripped = text.strip()
    try:
        if "_" in stripped or not stripped.isascii():
            raise ValueError
        return math.inf if stripped == "+INF" else float(stripped)
    except ValueError:
        raise EventUnreadable(f"{what:.60} is {text!r:.40}, no number") from None
