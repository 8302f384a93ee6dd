"""The file of logins at members: names of hosts with user and password, as netrc has them."""

from __future__ import annotations

import netrc
import os
from collections.abc import Mapping

from aggregator.config.secrets import require_private


def read_logins(name: str) -> Mapping[str, tuple[str, str]]:
    """User and password by machine, as the file says; raises ValueError, which tells no password.

    The entry ``default`` is left out: it is for whatever host is asked, and anybody may register
    one.
    """
    try:
        require_private(os.stat(name), name)
        found = netrc.netrc(name)
    except netrc.NetrcParseError as error:
        raise ValueError(f"{name} is no netrc file: look at line {error.lineno}") from None
    except (OSError, UnicodeError) as error:
        reason = os.strerror(error.errno or 0) if isinstance(error, OSError) else "no text"
        raise ValueError(f"{name} can't be read: {reason}") from None
    return {
        host: (user, password or "")
        for host, (user, _, password) in found.hosts.items()
        if host != "default"
    }
