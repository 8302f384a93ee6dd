"""The calls to a notification producer and to its subscription manager, in either version."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from aggregator.contract import Context
from aggregator.errors import CollectError, ConfigError, MalformedRequest
from aggregator.wire.dialects import (
    DESTROY,
    RENEW,
    SET_TERMINATION_TIME,
    SUBSCRIBE,
    UNSUBSCRIBE,
    Dialect,
    Operation,
)
from aggregator.wire.envelope import (
    SOAP11,
    SOAP12,
    SoapVersion,
    addressing_headers,
    write_envelope,
)
from aggregator.wire.epr import EndpointReference, as_header, read_epr
from aggregator.wire.parse import Element, parse, serialise, text_of
from aggregator.wire.subscribing import CHANGED_ENTRIES, Subscribe, write_subscribe
from aggregator.wire.times import SECOND, format_datetime, parse_datetime

from ._reply import read_response


@dataclass(frozen=True, slots=True)
class Way:
    """How to speak to a producer: the version of SOAP, and headers to make for each message."""

    version: SoapVersion = SOAP11
    headers: Callable[[], bytes] = bytes


@dataclass(frozen=True, slots=True)
class Granted:
    """A subscription that a producer made: its manager's serialised EPR, and how long it lasts.

    ``lifetime`` is in microseconds, None for ever; ``tells_changes`` whether the producer agreed
    to tell the entries that changed alone.
    """

    manager: bytes
    address: str
    lifetime: int | None
    tells_changes: bool


async def subscribe(
    request: Subscribe,
    *,
    producer: EndpointReference,
    consumer: EndpointReference,
    policy: bytes,
    dialect: Dialect,
    context: Context,
) -> Granted:
    """Subscribe; raises NotSpoken where another dialect may be spoken, else CollectError."""
    body = write_subscribe(request, dialect=dialect, consumer=consumer, policy=policy)
    response = await call(SUBSCRIBE, body, to=producer, dialect=dialect, context=context)
    return granted(response, now=context.now)


def granted(response: Element, *, now: int) -> Granted:
    """The subscription that a response tells of."""
    reference, address = referred(response, "SubscriptionReference")
    agreed = response.find(CHANGED_ENTRIES) is not None
    return Granted(reference, address, lifetime_of(response, now), agreed)


def referred(response: Element, name: str) -> tuple[bytes, str]:
    """The serialised EPR that is the child `name` of a response, and its address."""
    reference = _child(response, name)
    if reference is None:
        told = str(response.tag).rpartition("}")[2]
        raise CollectError(f"the {told} has no {name}", code="not-soap")
    try:
        return serialise(reference), read_epr(reference).address
    except ConfigError as error:
        raise CollectError(f"the {name}: {error.message}", code="not-soap") from error


async def renew(
    manager: bytes,
    *,
    until: int,
    lifetime: float,
    dialect: Dialect,
    context: Context,
    way: Way = Way(),
) -> int | None:
    """Renew a subscription; for how many microseconds it lasts now, None for ever.

    The final version is asked for a time from now on, `lifetime` seconds, so that clocks need not
    agree; the draft for an instant, `until`.
    """
    if dialect.family == "gt4":
        operation = SET_TERMINATION_TIME
        body = (
            f'<rl:SetTerminationTime xmlns:rl="{dialect.rl}"><rl:RequestedTerminationTime>'
            f"{format_datetime(until)}</rl:RequestedTerminationTime></rl:SetTerminationTime>"
        )
    else:
        operation = RENEW
        body = (
            f'<n:Renew xmlns:n="{dialect.nt}"><n:TerminationTime>PT{round(lifetime)}S'
            "</n:TerminationTime></n:Renew>"
        )
    to = reference_of(manager)
    response = await call(
        operation, body.encode(), to=to, dialect=dialect, context=context, way=way
    )
    return lifetime_of(response, context.now)


async def unsubscribe(
    manager: bytes, *, dialect: Dialect, context: Context, way: Way = Way()
) -> None:
    """End a subscription."""
    if dialect.family == "gt4":
        operation, body = DESTROY, f'<rl:Destroy xmlns:rl="{dialect.rl}"/>'
    else:
        operation, body = UNSUBSCRIBE, f'<n:Unsubscribe xmlns:n="{dialect.nt}"/>'
    to = reference_of(manager)
    await call(operation, body.encode(), to=to, dialect=dialect, context=context, way=way)


async def call(
    operation: Operation,
    body: bytes,
    *,
    to: EndpointReference,
    dialect: Dialect,
    context: Context,
    way: Way = Way(),
) -> Element:
    """The response element of one call."""
    action = dialect.action(operation)
    headers = addressing_headers(
        dialect.wsa, To=to.address, Action=action, MessageID=f"urn:uuid:{uuid.uuid4()}"
    )
    headers += b"".join(as_header(reference, dialect) for reference in to.references)
    message = write_envelope(way.version, body, headers=headers + way.headers())
    http_headers = {"Content-Type": SOAP11.content_type, "SOAPAction": f'"{action}"'}
    if way.version is SOAP12:
        http_headers = {"Content-Type": f'{SOAP12.content_type}; action="{action}"'}
    reply = await context.http.post(to.address, message, headers=http_headers)
    return read_response(reply, operation=operation.name, dialect=dialect)


def reference_of(manager: bytes) -> EndpointReference:
    """The EPR that was remembered as it came."""
    try:
        return read_epr(parse(manager))
    except (ConfigError, MalformedRequest) as error:
        raise CollectError("the subscription's reference can't be read", code="internal") from error


def lifetime_of(response: Element, now: int) -> int | None:
    """How long a subscription lasts by what its producer says, by the producer's own clock where
    it tells that, so that a clock that is wrong does not matter."""
    told = {}
    for name in ("TerminationTime", "NewTerminationTime", "CurrentTime"):
        child = _child(response, name)
        if child is not None and text_of(child):
            try:
                told[name] = parse_datetime(text_of(child))
            except ValueError as error:
                raise CollectError(f"the producer's {name}: {error}", code="not-soap") from error
    end = told.get("NewTerminationTime", told.get("TerminationTime"))
    current = told.get("CurrentTime")
    if end is None:
        return None
    return max(SECOND, end - (now if current is None else current))


def _child(element: Element, name: str) -> Element | None:
    return next(element.iterchildren(f"{{*}}{name}"), None)
