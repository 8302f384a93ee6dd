"""Faults for requests that never reach an operation, with whatever of them was understood."""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.server.dispatch import fault_dialect
from aggregator.wire.dialects import Dialect, Operation
from aggregator.wire.envelope import (
    SOAP11,
    VERSIONS,
    Envelope,
    SoapVersion,
    reply_headers,
    write_envelope,
)
from aggregator.wire.faults import SoapFault, write_fault
from aggregator.wire.parse import Element


@dataclass(slots=True)
class Heard:
    """What is known of a request so far: the further reading comes, the more the fault can say."""

    root: Element | None = None
    envelope: Envelope | None = None
    operation: Operation | None = None
    dialect: Dialect | None = None
    #: Whether it came to an address for notifications.
    notified: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A fault as a whole message, with its media type."""

    fault: SoapFault
    content_type: str
    body: bytes


def refuse(error: Exception, heard: Heard, *, now: int) -> Refusal:
    """The answer to a request that `error` stopped: in its SOAP version, dialect and addressing."""
    version = _version(heard)
    dialect = heard.dialect or fault_dialect(heard.root)
    fault = write_fault(error, version=version, dialect=dialect, now=now, operation=heard.operation)
    headers = fault.headers
    if heard.envelope is not None:
        headers = reply_headers(heard.envelope.addressing, fault.action) + headers
    return Refusal(
        fault, version.content_type, write_envelope(version, fault.body, headers=headers)
    )


def http_headers(fault: SoapFault) -> dict[str, str]:
    """The HTTP headers that a fault asks for."""
    return {"Retry-After": str(fault.retry_after)} if fault.retry_after else {}


def _version(heard: Heard) -> SoapVersion:
    if heard.envelope is not None:
        return heard.envelope.version
    if heard.root is None:
        return SOAP11
    return VERSIONS.get(str(heard.root.tag)[1:].partition("}")[0], SOAP11)
