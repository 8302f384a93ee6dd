"""Calls of an aggregator's methods: which takes what, what they are handed, what they return."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from aggregator.errors import AggregatorFailed
from aggregator.reports.addons import Aggregator

Kind = Literal["bytes", "text", "json"]

_REPORT, _GET = "process_REPORT_", "process_GET_"


class Said(NamedTuple):
    """What a method returned, as bytes: bytes as they are, a text in UTF-8, else JSON."""

    kind: Kind
    data: bytes


class Message:
    """What a method is handed: what is known of a report or a REQUEST as attributes."""

    def __init__(self, attributes: Mapping[str, Any], /) -> None:
        self.__dict__.update(attributes)

    def __getattr__(self, name: str) -> Any:
        raise MissingArgument(name)

    def __repr__(self) -> str:
        return (
            f"Message({', '.join(f'{name}={value!r:.60}' for name, value in vars(self).items())})"
        )


class MissingArgument(AttributeError):
    """Raised where a method asks for an argument that the REQUEST does not have."""


def said(value: Any) -> Said | None:
    """What is sent of a value that a module returned, None for None.

    A protobuf message is sent as its bytes. Raises AggregatorFailed for what can't be sent.
    """
    if value is None:
        return None
    if isinstance(value, bytes | bytearray | memoryview):
        return Said("bytes", bytes(value))
    if isinstance(value, str):
        return Said("text", value.encode("utf-8", "surrogateescape"))
    if callable(serialise := getattr(value, "SerializeToString", None)):
        return Said("bytes", serialise())
    try:
        return Said("json", json.dumps(value, allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise AggregatorFailed(
            f"it returned a {type(value).__name__}, which can't be sent: {error}", reason="failed"
        ) from None


def report_types(found: type[Aggregator]) -> list[str]:
    """The types of reports that an aggregator takes."""
    return _types(_names(found.reporttype), found, _REPORT)


def request_types(found: type[Aggregator]) -> list[str]:
    """The types of REQUESTs that it answers."""
    return _types(_names(found.requesttypes), found, _GET)


def update_types(found: type[Aggregator]) -> list[str]:
    """The types of updates that it says it pushes."""
    return _names(found.updatetype)


def _names(given: Any) -> list[str]:
    """The types in a class attribute: one name, several, or none."""
    names = [given] if isinstance(given, str) else list(given or ())
    return [str(name) for name in names if name]


def _types(named: list[str], found: type, prefix: str) -> list[str]:
    hooks = [name.removeprefix(prefix) for name in dir(found) if name.startswith(prefix)]
    return list(dict.fromkeys([*named, *hooks]))


def process_report(aggregator: Aggregator, message: Message) -> None:
    """Hand a report to the method that takes its type."""
    _method(aggregator, _REPORT, message.type, aggregator.processReport)(message)


def process_request(aggregator: Aggregator, message: Message) -> Said | None:
    """The answer to a REQUEST, None where there is none."""
    return said(_method(aggregator, _GET, message.type, aggregator.processREQUEST)(message))


def update(aggregator: Aggregator, now: float) -> Said | None:
    """What is to be pushed now, None for nothing."""
    aggregator.doUpdates(now)
    return said(aggregator.getUpdateMessage())


def _method(
    aggregator: Aggregator, prefix: str, type: str, general: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    # A type has no characters that names of methods don't have, or no method can have its name.
    method: Callable[[Any], Any] = getattr(aggregator, prefix + type, general)
    return method


def request_message(type: str, arguments: Mapping[str, str]) -> Message:
    """A REQUEST as methods get it; no argument takes the place of the type."""
    return Message({**arguments, "type": type})
