"""Which user and password are for which member, by the file that the configuration names."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from aggregator.config.logins import read_logins
from aggregator.contract import Login

_PORTS = {"http": 80, "https": 443}


def logins_of(name: str) -> Callable[[str], Login | None]:
    """What tells the login for an URL, by the file `name`, which is read now; empty for none.

    A machine of the file is a host, which is that of the scheme's own port alone, or ``host:port``:
    who listens at another port of a host is somebody else. Raises ValueError.
    """
    known = read_logins(name) if name else {}

    def login(url: str) -> Login | None:
        if not known:
            return None
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return None
        if ":" in host:
            host = f"[{host}]"
        usual = _PORTS.get(parts.scheme)
        names = [f"{host}:{port or usual}"] + ([host] if port in (None, usual) else [])
        found = next((known[one] for one in names if one in known), None)
        return Login(*found) if found else None

    return login
