"""Events as bytes: written as JSON or XML, read as either within limits; all else stays raw.

The documents say of every value what it is, so that a reader needs no schema: a message has the
id, the name and the version of its type, an enum its number and its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from aggregator.errors import EventUnreadable, EventUnwritable, EventValueUnknown
from aggregator.events import json_format, xml_format
from aggregator.events.fields import EnumField, Field
from aggregator.events.messages import (
    Message,
    RawMessage,
    UnknownEnum,
    UnknownMessage,
    message_type,
    type_name,
)
from aggregator.events.tree import DEEPEST, EnumNode, MessageNode

#: The header of an AMQP message that names the type of a raw one.
TYPE_HEADER = "message-type-id"

_FORMATS = {"json": json_format, "xml": xml_format}
_READERS = {one.CONTENT_TYPE: one.read for one in _FORMATS.values()}


@dataclass(frozen=True, slots=True)
class Encoded:
    """A message as it is sent: its bytes, what they are, and what else is said of them."""

    body: bytes
    content_type: str
    headers: Mapping[str, Any]


def encode(message: Message | RawMessage, *, encoding: str = "json", limit: int) -> Encoded:
    """The message as bytes, at most `limit` of them; a raw one as it is.

    Raises EventUnwritable.
    """
    if isinstance(message, RawMessage):
        headers = {} if message.type_id is None else {TYPE_HEADER: message.type_id}
        return Encoded(_within(bytes(message.body), limit), message.content_type, headers)
    form = _FORMATS[encoding]
    body = _within(form.write(_node(message, depth=0)), limit)
    return Encoded(body, form.CONTENT_TYPE, {TYPE_HEADER: message.type_id})


def decode(
    body: bytes, content_type: str, headers: Mapping[str, Any], *, limit: int
) -> Message | RawMessage:
    """The message that arrived; one of neither of our formats is raw.

    Raises EventUnreadable for more than `limit` bytes, and for what claims to be ours and is not.
    """
    if len(body) > limit:
        raise EventUnreadable(f"the message has {len(body)} bytes; at most {limit} are read")
    read = _READERS.get(content_type.partition(";")[0].strip().lower())
    if read is None:
        return RawMessage(body, _named_type(headers), content_type)
    return _message(read(body, limit))


def _within(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise EventUnwritable(f"the message has {len(body)} bytes; at most {limit} are sent")
    return body


def _named_type(headers: Mapping[str, Any]) -> int | None:
    given = headers.get(TYPE_HEADER)
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) < 10:
        return int(given)
    return given if isinstance(given, int) and not isinstance(given, bool) else None


def _node(message: Message, *, depth: int) -> MessageNode:
    if depth > DEEPEST:
        raise EventUnwritable(f"messages are linked more than {DEEPEST} deep, or in a ring")
    if not message.type_id:
        raise EventUnwritable(f"{type(message).__name__} has no type_id, so it can't be sent")
    values = {}
    for name, value in message.assigned.items():
        if value != []:
            field = message.FIELDS.get(name)
            values[name] = _plain(value, field, depth=depth)
    return MessageNode(message.type_id, message.type_version, type_name(message), values)


def _plain(value: Any, field: Field[Any] | None, *, depth: int) -> Any:
    if isinstance(value, Message):
        return _node(value, depth=depth + 1)
    if isinstance(value, IntEnum | UnknownEnum):
        return EnumNode(value.value if isinstance(value, IntEnum) else value.number, value.name)
    if isinstance(value, list) and field is not None:
        # Whatever was appended since it was assigned.
        return field.checked(value)
    return value


def _message(node: MessageNode) -> Message:
    known = message_type(node.type_id)
    if known is None:
        values = {name: _unknown(value) for name, value in node.values.items()}
        return UnknownMessage(
            node.type_id, type_version=node.type_version, name=node.name, values=values
        )
    message = known()
    for name, value in node.values.items():
        # A later version of the type may have fields that are not known here.
        if name in known.FIELDS:
            _assign(message, name, value)
    return message


def _assign(message: Message, name: str, value: Any) -> None:
    field = message.FIELDS[name]
    try:
        if isinstance(value, EnumNode):
            if not isinstance(field, EnumField):
                raise TypeError(f"{name} holds {field.holds}; given was an enum")
            value = value.number
        elif isinstance(value, MessageNode):
            value = _message(value)
        message.assigned[name] = field.checked(value)
    except EventValueUnknown:
        return  # The enum has grown; as good as not set to who does not know the member.
    except (TypeError, ValueError) as error:
        raise EventUnreadable(f"{type_name(message)}: {error}") from error


def _unknown(value: Any) -> Any:
    if isinstance(value, EnumNode):
        return UnknownEnum(value.number, value.name)
    return _message(value) if isinstance(value, MessageNode) else value
