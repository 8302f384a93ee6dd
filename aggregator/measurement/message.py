"""A message of the NMWG protocol as it came: its metadata, and the data that ask for something."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from aggregator.errors import NmwgError, RequestError
from aggregator.wire.nmwg_metadata import DATA, MESSAGE, METADATA, PARAMETER, PARAMETERS, value_of
from aggregator.wire.nmwg_names import NMWG
from aggregator.wire.parse import Element, Limits, parse


class Trigger(NamedTuple):
    """A data element, which asks for what its metadata describes."""

    id: str
    metadata_ref: str
    element: Element


@dataclass(frozen=True, slots=True)
class Message:
    """`metadata` are the message's own by their ids; of those with one id the first."""

    type: str
    id: str
    parameters: Mapping[str, str]
    metadata: Mapping[str, Element]
    triggers: tuple[Trigger, ...]
    element: Element

    @property
    def reply_type(self) -> str:
        """The type of the reply: Response in place of Request, else added."""
        found = self.type.replace("Request", "Response", 1)
        return found if "Response" in found else f"{self.type}Response"


def read_message(body: bytes, *, limits: Limits, charset: str = "") -> Message:
    """The one message in a document, at whatever depth: bare, or in a SOAP envelope.

    Raises NmwgError (error.transport.parse_error) where there is none, or more than one.
    """
    try:
        root = parse(body, limits=limits, charset=charset)
    except RequestError as error:
        raise _unreadable(str(error)) from error
    found = list(root.iter(MESSAGE))
    if len(found) != 1:
        expected = f"expected is one {{{NMWG}}}message, found were {len(found)}"
        raise _unreadable(expected)
    return message_of(found[0])


def message_of(element: Element) -> Message:
    """The message in an nmwg:message element."""
    metadata: dict[str, Element] = {}
    for one in element.iterchildren(METADATA):
        if identifier := one.get("id", ""):
            metadata.setdefault(identifier, one)
    triggers = tuple(
        Trigger(one.get("id", ""), one.get("metadataIdRef", ""), one)
        for one in element.iterchildren(DATA)
    )
    parameters = {
        name: value for one in element.iterchildren(PARAMETERS) for name, value in _told(one)
    }
    return Message(
        element.get("type", ""), element.get("id", ""), parameters, metadata, triggers, element
    )


def _told(block: Element) -> Iterator[tuple[str, str]]:
    for one in block.iterchildren(PARAMETER):
        yield one.get("name", ""), value_of(one)


def _unreadable(detail: str) -> NmwgError:
    return NmwgError("error.transport.parse_error", f"Error parsing request: {detail}")
