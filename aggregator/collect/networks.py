"""Which addresses members may have: the allowed and denied networks, against what is dialled."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")


class Networks:
    """Decides on addresses; an IPv6 address that stands for an IPv4 one counts as both."""

    def __init__(self, *, allow: Sequence[str], deny: Sequence[str]) -> None:
        self._allow = [ipaddress.ip_network(network) for network in allow]
        self._deny = [ipaddress.ip_network(network) for network in deny]

    def permits(self, host: str) -> bool:
        """Whether the numeric address `host` may be connected to; denial wins."""
        forms = _forms(ipaddress.ip_address(host.partition("%")[0]))
        if any(form in network for network in self._deny for form in forms):
            return False
        return not self._allow or any(form in network for network in self._allow for form in forms)


def _forms(address: Address) -> list[Address]:
    """The address, and the IPv4 address that it leads to by mapping or translation."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    embedded = address.ipv4_mapped or address.sixtofour
    if embedded is None and (address in _NAT64 or (address in _COMPATIBLE and int(address) > 1)):
        embedded = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return [address] if embedded is None else [address, embedded]
