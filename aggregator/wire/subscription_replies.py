"""What producers and subscription managers answer, in both versions of WS-BaseNotification."""

from __future__ import annotations

from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import Dialect, Operation
from aggregator.wire.epr import EndpointReference, write_epr
from aggregator.wire.times import format_datetime


def subscribe_response(
    manager: EndpointReference,
    *,
    dialect: Dialect,
    now: int,
    termination: int | None,
    changed_entries: bool,
) -> bytes:
    """The SubscribeResponse; who asked for the policy ChangedEntries is told that it is kept."""
    reference = write_epr(
        manager, name="SubscriptionReference", namespace=dialect.nt, dialect=dialect
    )
    times = b""
    if dialect.family == "oasis":
        times = _times(now, termination).encode()
    agreed = f'<m:ChangedEntries xmlns:m="{ns.NOTIFICATION}"/>' if changed_entries else ""
    head = f'<n:SubscribeResponse xmlns:n="{dialect.nt}" xmlns:xsi="{ns.XSI}">'.encode()
    return head + reference + times + f"{agreed}</n:SubscribeResponse>".encode()


def renew_response(*, dialect: Dialect, now: int, termination: int | None) -> bytes:
    """The RenewResponse, which has its times the other way round."""
    return (
        f'<n:RenewResponse xmlns:n="{dialect.nt}" xmlns:xsi="{ns.XSI}">{_termination(termination)}'
        f"<n:CurrentTime>{format_datetime(now)}</n:CurrentTime></n:RenewResponse>"
    ).encode()


def termination_response(*, dialect: Dialect, now: int, termination: int | None) -> bytes:
    """The SetTerminationTimeResponse (WS-ResourceLifetime 1.2, section 5.1)."""
    new = ' xsi:nil="true"/>'
    if termination is not None:
        new = f">{format_datetime(termination)}</rl:NewTerminationTime>"
    return (
        f'<rl:SetTerminationTimeResponse xmlns:rl="{dialect.rl}" xmlns:xsi="{ns.XSI}">'
        f"<rl:NewTerminationTime{new}<rl:CurrentTime>{format_datetime(now)}</rl:CurrentTime>"
        "</rl:SetTerminationTimeResponse>"
    ).encode()


def empty_response(operation: Operation, *, dialect: Dialect) -> bytes:
    """The response of an operation that has nothing to say."""
    return f'<o:{operation.name}Response xmlns:o="{dialect.namespace(operation.spec)}"/>'.encode()


def _times(now: int, termination: int | None) -> str:
    return f"<n:CurrentTime>{format_datetime(now)}</n:CurrentTime>{_termination(termination)}"


def _termination(termination: int | None) -> str:
    if termination is None:
        return '<n:TerminationTime xsi:nil="true"/>'
    return f"<n:TerminationTime>{format_datetime(termination)}</n:TerminationTime>"
