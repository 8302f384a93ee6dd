"""Which dialect a service speaks, where nothing tells: ask in one, and then in the other."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal, TypeVar

from aggregator.client.resource import Resource, dialect_of
from aggregator.client.soap import SoapClient
from aggregator.errors import RemoteFault
from aggregator.wire.dialects import DIALECTS, FAMILIES, GT4, OASIS, Dialect
from aggregator.wire.epr import EndpointReference

logger = logging.getLogger(__name__)
T = TypeVar("T")

DialectChoice = Literal["auto", "gt4", "oasis"]
_WSRF = frozenset(
    dialect.namespace(spec) for dialect in FAMILIES for spec in ("sg", "rp", "rl", "r", "bf", "nt")
)


def candidates(
    choice: DialectChoice, *, epr: EndpointReference | None = None, hint: str = ""
) -> tuple[Dialect, ...]:
    """The dialects to try, in order.

    A choice decides alone; then the version of an EPR that came in a file, then `hint`, the
    namespace of something that the user named. Without any, the final standard comes first.
    """
    if choice != "auto":
        return (DIALECTS[choice],)
    if epr is not None:
        return (dialect_of(epr),)
    for dialect in FAMILIES:
        if hint in (dialect.sg, dialect.rp, dialect.rl, dialect.nt):
            return (dialect,)
    return (OASIS, GT4)


def call_in_either(
    client: SoapClient,
    epr: EndpointReference,
    dialects: tuple[Dialect, ...],
    call: Callable[[Resource], T],
) -> T:
    """The result of `call` in the first dialect that the service understands.

    A fault whose detail is one of WSRF's own comes from a service that understood, and counts.
    When no dialect is understood, the fault of the first is raised.
    """
    first: RemoteFault | None = None
    for dialect in dialects:
        try:
            return call(Resource(client, epr, dialect))
        except RemoteFault as fault:
            if is_wsrf(fault) or len(dialects) == 1:
                raise
            logger.debug("%s does not take dialect %s: %s", epr.address, dialect.name, fault)
            first = first or fault
    assert first is not None
    raise first


def is_wsrf(fault: RemoteFault) -> bool:
    """Whether the detail of a fault is an element of WSRF, in either dialect."""
    return fault.detail[1:].partition("}")[0] in _WSRF
