"""The calls to a notification producer and to its subscription manager, in either version."""

from __future__ import annotations

import uuid
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
from aggregator.wire.envelope import SOAP11, addressing_headers, write_envelope
from aggregator.wire.epr import EndpointReference, as_header, read_epr
from aggregator.wire.parse import Element, parse, serialise, text_of
from aggregator.wire.subscribing import CHANGED_ENTRIES, Subscribe, write_subscribe
from aggregator.wire.times import SECOND, format_datetime, parse_datetime

from ._reply import read_response


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
    consumer: str,
    policy: bytes,
    dialect: Dialect,
    context: Context,
) -> Granted:
    """Subscribe; raises NotSpoken where another dialect may be spoken, else CollectError."""
    body = write_subscribe(request, dialect=dialect, consumer=consumer, policy=policy)
    response = await _call(SUBSCRIBE, body, to=producer, dialect=dialect, context=context)
    reference = _child(response, "SubscriptionReference")
    if reference is None:
        raise CollectError("the SubscribeResponse has no SubscriptionReference", code="not-soap")
    try:
        address = read_epr(reference).address
    except ConfigError as error:
        raise CollectError(
            f"the SubscriptionReference: {error.message}", code="not-soap"
        ) from error
    agreed = response.find(CHANGED_ENTRIES) is not None
    return Granted(serialise(reference), address, _lifetime(response, context.now), agreed)


async def renew(
    manager: bytes, *, until: int, lifetime: float, dialect: Dialect, context: Context
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
    to = _reference(manager)
    response = await _call(operation, body.encode(), to=to, dialect=dialect, context=context)
    return _lifetime(response, context.now)


async def unsubscribe(manager: bytes, *, dialect: Dialect, context: Context) -> None:
    """End a subscription."""
    if dialect.family == "gt4":
        operation, body = DESTROY, f'<rl:Destroy xmlns:rl="{dialect.rl}"/>'
    else:
        operation, body = UNSUBSCRIBE, f'<n:Unsubscribe xmlns:n="{dialect.nt}"/>'
    to = _reference(manager)
    await _call(operation, body.encode(), to=to, dialect=dialect, context=context)


async def _call(
    operation: Operation,
    body: bytes,
    *,
    to: EndpointReference,
    dialect: Dialect,
    context: Context,
) -> Element:
    """The response element of one call."""
    action = dialect.action(operation)
    headers = addressing_headers(
        dialect.wsa, To=to.address, Action=action, MessageID=f"urn:uuid:{uuid.uuid4()}"
    )
    headers += b"".join(as_header(reference, dialect) for reference in to.references)
    message = write_envelope(SOAP11, body, headers=headers)
    http_headers = {"Content-Type": SOAP11.content_type, "SOAPAction": f'"{action}"'}
    reply = await context.http.post(to.address, message, headers=http_headers)
    return read_response(reply, operation=operation.name, dialect=dialect)


def _reference(manager: bytes) -> EndpointReference:
    try:
        return read_epr(parse(manager))
    except (ConfigError, MalformedRequest) as error:
        raise CollectError("the subscription's reference can't be read", code="internal") from error


def _lifetime(response: Element, now: int) -> int | None:
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
