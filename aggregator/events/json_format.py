"""Events as JSON."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from aggregator.errors import EventUnreadable, EventUnwritable
from aggregator.events.tree import DEEPEST, VERSION, EnumNode, MessageNode

CONTENT_TYPE = "application/vnd.mds-aggregator.event+json"
_FORMAT = "mds-aggregator-event"
#: Doubles that JSON has no numbers for, as others write them too.
_NO_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_NAMES = {str(number): name for name, number in _NO_NUMBERS.items()}


def write(message: MessageNode) -> bytes:
    """The document of a message; EventUnwritable for texts that have what is no character."""
    document = {"format": _FORMAT, "version": VERSION, "message": _written(message)}
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise EventUnwritable(f"a text has what is no character: {error}") from error


def _written(value: Any) -> Any:
    if isinstance(value, MessageNode):
        return {
            "type": value.type_id,
            "type_version": value.type_version,
            "name": value.name,
            "fields": {name: _written(one) for name, one in value.values.items()},
        }
    if isinstance(value, EnumNode):
        return {"number": value.number, "name": value.name}
    if isinstance(value, float) and not math.isfinite(value):
        return {"double": _NAMES[str(value)]}
    return value


def read(body: bytes, limit: int) -> MessageNode:
    """The message of a document; `limit` in bytes was looked at already.

    Raises EventUnreadable.
    """
    try:
        document = json.loads(body, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise EventUnreadable(f"the message is no JSON: {error}") from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise EventUnreadable(f"the message is no JSON object whose format is {_FORMAT!r}")
    if document.get("version") != VERSION:
        raise EventUnreadable(
            f"the message is of version {document.get('version')!r:.20}; {VERSION} is read here"
        )
    return _message(document.get("message"), depth=0)


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _message(found: Any, *, depth: int) -> MessageNode:
    if depth > DEEPEST:
        raise EventUnreadable(f"messages are linked more than {DEEPEST} deep")
    if not isinstance(found, dict):
        raise EventUnreadable("a message is no object")
    type_id, version = found.get("type"), found.get("type_version", 1)
    name, fields = found.get("name", ""), found.get("fields", {})
    if not (isinstance(name, str) and isinstance(fields, dict)):
        raise EventUnreadable("a message has no name that is a text, or no fields in an object")
    values = {
        field: _value(field, value, depth=depth)
        for field, value in fields.items()
        if value is not None
    }
    return MessageNode(
        _integer(type_id, "the type of a message"),
        _integer(version, "the version of a type"),
        name,
        values,
    )


def _value(name: str, found: Any, *, depth: int) -> Any:
    if isinstance(found, dict):
        return _object(name, found, depth=depth)
    if isinstance(found, list):
        if not all(isinstance(one, str) for one in found):
            raise EventUnreadable(f"{name:.60} has items that are no texts")
        return found
    if isinstance(found, bool):
        raise EventUnreadable(f"{name:.60} is of a kind that no field has")
    return found


def _object(name: str, found: dict[str, Any], *, depth: int) -> Any:
    if "type" in found:
        return _message(found, depth=depth + 1)
    if (double := found.get("double")) is not None:
        if not isinstance(double, str) or double not in _NO_NUMBERS:
            raise EventUnreadable(f"{name:.60} is a double that is neither NaN nor infinite")
        return _NO_NUMBERS[double]
    member = found.get("name", "")
    if not isinstance(member, str):
        raise EventUnreadable(f"{name:.60} is an enum whose name is no text")
    return EnumNode(_integer(found.get("number"), name), member)


def _integer(value: object, what: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise EventUnreadable(f"{what:.60} is {value!r:.40}, no whole number")
