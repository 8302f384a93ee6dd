"""The keys of a member's TOML file, each with the kind of value that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from aggregator.config.kinds import Kind, choice, not_a, text, whole_number
from aggregator.config.measures import duration, size
from aggregator.member.settings import HOST_ROOTS

_KIB, _MIB = 1024, 1024 * 1024


def _read_url(value: object) -> str:
    if isinstance(value, str) and is_web_address(value):
        return value
    raise not_a(value, "an http or https address")


def is_web_address(value: str) -> bool:
    """Whether a text is the address of something that is fetched over HTTP."""
    try:
        parts = urlsplit(value)
        # Reading the port checks it.
        whole = bool(parts.hostname) and parts.port != 0 and not parts.fragment
    except ValueError:
        return False
    return whole and parts.scheme in ("http", "https") and value.isprintable() and " " not in value


def _read_command(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise not_a(value, 'a list of a program and its arguments, like ["/usr/bin/uptime", "-p"]')
    if any(not isinstance(item, str) or "\0" in item for item in value) or not value[0]:
        raise not_a(value, "a list of texts, the first of them a program")
    return tuple(value)


URL = Kind("URL", _read_url)
COMMAND = Kind("command", _read_command)
PATH = text("a file name", pattern=r"[^\0]+", name="file name")

#: The keys of [member].
MEMBER_KEYS: Mapping[str, Kind[Any]] = {
    "host": text("a host name or address", pattern=r"[^\s/]+"),
    "port": whole_number(0, 65535),
    "public_url": URL,
    "query_timeout": duration(0.1, 300),
    "max_body": size(4 * _KIB, 1024 * _MIB),
}
#: Where a property comes from: each block has one of these.
ORIGIN_KEYS: Mapping[str, Kind[Any]] = {
    "executable": COMMAND,
    "file": PATH,
    "url": URL,
    "host": choice(*HOST_ROOTS),
    "scheduler": COMMAND,
}
#: How a producer runs.
PLAIN_KEYS: Mapping[str, Kind[Any]] = {
    "period": duration(0.1, or_zero=True),
    "timeout": duration(0.1, 3600),
    "max_output": size(_KIB, 64 * _MIB),
    "first_failure": choice("retry", "cancel"),
}
PROPERTY_KEYS = ("name", *ORIGIN_KEYS, *PLAIN_KEYS, "transform")
