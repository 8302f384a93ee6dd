"""Who sends a request: the address of the connection and the verified client certificate."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from aggregator.model import Caller

#: Short names of the attributes of a subject, as grid software writes them.
_SHORT = {
    "countryName": "C",
    "stateOrProvinceName": "ST",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "commonName": "CN",
    "domainComponent": "DC",
    "emailAddress": "emailAddress",
    "userId": "UID",
}

_SPECIAL = re.compile(r"[\\/+]")


def caller_of(environ: Mapping[str, Any]) -> Caller:
    """The Caller of a request."""
    certificate: Mapping[str, Any] | None = getattr(
        environ.get("gunicorn.socket"), "getpeercert", dict
    )()
    identity = subject_of(certificate or {})
    return Caller(identity=identity, address=str(environ.get("REMOTE_ADDR") or ""))


def leaving_of(environ: Mapping[str, Any]) -> Callable[[], bool]:
    """What tells whether the client of a request has left meanwhile; that can't be seen under
    every server."""
    found: Callable[[], bool] = getattr(environ.get("gunicorn.socket"), "has_left", _stays)
    return found


def _stays() -> bool:
    return False


def subject_of(certificate: Mapping[str, Any]) -> str:
    """The subject in the form of grid map files (``/C=DE/O=Grid/CN=Ada``), empty without one.

    `certificate` is what ``ssl.SSLSocket.getpeercert`` gives for a verified peer. Attributes of
    one relative name are joined by ``+``; a slash, a plus or a backslash in a value has a
    backslash before it, so that two different subjects never read alike.
    """
    return "".join(
        "/" + "+".join(f"{_SHORT.get(name, name)}={_escaped(value)}" for name, value in relative)
        for relative in certificate.get("subject", ())
    )


def _escaped(value: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", value)
