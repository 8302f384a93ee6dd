"""What in a registration file is allowed and yet likely a mistake."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from aggregator.registrant.block import RegistrationParameters


def loopback_notes(registrations: Sequence[RegistrationParameters]) -> Iterator[str]:
    """One note for members whose address only their own host can reach, in groups elsewhere."""
    found = [
        one
        for one in registrations
        if is_loopback(one.member.address) and not is_loopback(one.group.address)
    ]
    if found:
        yield (
            f"{len(found)} of {len(registrations)} members have a loopback address, such as "
            f"{found[0].member.address}; the service group polls that address on its own host"
        )


def unprotected_notes(registrations: Sequence[RegistrationParameters]) -> Iterator[str]:
    """A note for each group to which the certificate that we have can't be presented."""
    groups = Counter(one.group.address for one in registrations)
    for address, members in groups.items():
        if not address.lower().startswith("https:"):
            yield (
                f"{address} is no https address, so our certificate can't be presented there: "
                f"{members} of {len(registrations)} members are registered anonymously"
            )


def is_loopback(address: str) -> bool:
    """Whether a URL's host is a loopback address by its looks; nothing is resolved."""
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
