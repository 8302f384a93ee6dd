"""Whether an address leads back to a service of ours, however it is spelt. Nothing is looked up."""

from __future__ import annotations

import posixpath
import re
import socket
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import unquote, urlsplit

from aggregator.errors import AddRefused

_DEFAULT_PORTS = {"http": 80, "https": 443}
#: Names that hosts files give to the loopback interface; RFC 6761 reserves ``localhost`` itself.
_LOOPBACK_NAMES = frozenset(
    {"localhost", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback"}
    | {"localhost.localdomain", "localhost4.localdomain4", "localhost6.localdomain6"}
)
#: What inet_aton may read: 127.1, 2130706433, 0177.0.0.1 and 0x7f.1 are all this host.
_NUMERIC = re.compile(r"[0-9a-fx]+(?:\.[0-9a-fx]+){0,3}", re.ASCII)
#: A host's name in one spelling, or its address by value.
Host = str | IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class _Place:
    """What of a URL decides where it leads; without a path, user or query that change nothing."""

    scheme: str
    host: Host
    port: int | None
    path: str


def leads_to(address: str, service: str, *, here: Collection[Host] = ()) -> bool:
    """Whether `address` reaches the service at the address `service`.

    They are equal, or they agree in scheme, port and path (without regard to case, as in MDS4)
    and the host is the service's, a loopback one, or `here`, which holds the names and addresses
    of the service's host. Raises AddRefused for a broken URL.
    """
    if address.strip() == service.strip():
        return True
    there, own = _place(address), _place(service)
    if (there.scheme, there.port, there.path) != (own.scheme, own.port, own.path):
        return False
    return there.host == own.host or there.host in here or is_loopback(there.host)


def _place(address: str) -> _Place:
    try:
        parts = urlsplit(address.strip())
        port = parts.port
    except ValueError as error:
        raise AddRefused(f"the member's address {address[:200]!r} is no URL: {error}") from error
    if port is None:
        port = _DEFAULT_PORTS.get(parts.scheme)
    path = posixpath.normpath("/" + unquote(parts.path).lstrip("/")).lower()
    return _Place(parts.scheme, host_of(parts.hostname or ""), port, path)


def host_of(name: str) -> Host:
    """A host as an address where it is a spelling of one, else its name in one spelling.

    Nothing is looked up.
    """
    if ":" in name:
        try:
            # A zone names the interface, which makes no loopback address a foreign one.
            found = IPv6Address(unquote(name).partition("%")[0])
        except ValueError:
            return name
        return found.ipv4_mapped or found
    plain = unquote(name).rstrip(".").lower()
    try:
        # International names, and digits and dots that only look different.
        plain = plain.encode("idna").decode().rstrip(".").lower()
    except UnicodeError:
        return plain
    if _NUMERIC.fullmatch(plain):
        try:
            return IPv4Address(socket.inet_aton(plain))
        except OSError:
            return plain
    return plain


def is_loopback(host: Host) -> bool:
    """Whether a host is the one that asks, whoever that is."""
    if isinstance(host, str):
        return host in _LOOPBACK_NAMES or host.endswith(".localhost")
    return host.is_loopback or host.is_unspecified
