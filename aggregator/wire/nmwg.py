"""Messages of the NMWG protocol of perfSONAR: found in a document, wrapped, and what they say.

An XML namespace ends with a slash, an event type does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aggregator.errors import MalformedRequest
from aggregator.wire.envelope import SOAP11, VERSIONS, write_envelope
from aggregator.wire.namespaces import clark
from aggregator.wire.nmwg_names import NMWG, NMWGR
from aggregator.wire.parse import Element, serialise, text_of

MESSAGE = clark(NMWG, "message")
METADATA = clark(NMWG, "metadata")
DATA = clark(NMWG, "data")
_EVENT_TYPE = clark(NMWG, "eventType")
_DATUMS = (clark(NMWGR, "datum"), clark(NMWG, "datum"))
_KEY_PARAMETER = "/".join(
    clark(NMWG, name) for name in ("metadata", "key", "parameters", "parameter")
)
_ENVELOPES = frozenset(clark(namespace, "Envelope") for namespace in VERSIONS)
#: What perfSONAR's own clients send as SOAPAction; no service looks at it.
ACTION = f"{NMWG}message/"
#: HTTP headers of a request.
HEADERS = {"Content-Type": SOAP11.content_type, "SOAPAction": f'"{ACTION}"'}

#: Longest text of a result that is passed on.
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Result:
    """A result code of a reply, such as error.ma.storage, with its text and its metadata's id."""

    event_type: str
    text: str
    metadata: str = ""

    def __str__(self) -> str:
        return f"{self.event_type}: {self.text}" if self.text else self.event_type


def find_message(root: Element) -> Element:
    """The one nmwg:message of a document, at any depth; MalformedRequest for none or several."""
    found = root.iter(MESSAGE)
    message = next(found, None)
    if message is None:
        raise MalformedRequest(f"there is no nmwg:message ({NMWG}) in the document")
    if next(found, None) is not None:
        raise MalformedRequest("there is more than one nmwg:message in the document")
    return message


def wrapped(root: Element) -> bytes:
    """The envelope to send: `root` itself where it is one, else one of SOAP 1.1 around it."""
    return serialise(root) if root.tag in _ENVELOPES else write_envelope(SOAP11, serialise(root))


def event_types(metadata: Element) -> Iterator[str]:
    """The event types of a metadata, in order."""
    return (text_of(child) for child in metadata.iterchildren(_EVENT_TYPE))


def first_result(message: Element) -> Result:
    """The first event type of a message with its text; both are empty where there is none."""
    texts = _texts(message)
    for metadata in message.iterchildren(METADATA):
        for event_type in event_types(metadata):
            return Result(event_type[:_LONGEST], texts.get(metadata.get("id", ""), ""))
    return Result("", next(iter(texts.values()), ""))


def errors_of(message: Element) -> tuple[Result, ...]:
    """The error results of a message, in order; "Query returned 0 results" is none."""
    texts = _texts(message)
    return tuple(
        Result(event_type[:_LONGEST], texts.get(id, ""), id)
        for id, metadata in ((one.get("id", ""), one) for one in message.iterchildren(METADATA))
        for event_type in event_types(metadata)
        if event_type.startswith("error")
    )


def key_parameter(message: Element, name: str) -> str:
    """The value of a parameter of the first key that has it; empty where none does."""
    for parameter in message.iterfind(_KEY_PARAMETER):
        if parameter.get("name") == name:
            return text_of(parameter) or parameter.get("value", "")
    return ""


def _texts(message: Element) -> dict[str, str]:
    """What the datum of each data says, by the metadata that it is of; the first one counts.

    Measurement archives write it as text, lookup services in an attribute.
    """
    found: dict[str, str] = {}
    for data in message.iterchildren(DATA):
        datum = next(data.iterchildren(*_DATUMS), None)
        if datum is not None:
            said = " ".join((text_of(datum) or datum.get("value", "")).split())[:_LONGEST]
            found.setdefault(data.get("metadataIdRef", ""), said)
    return found
