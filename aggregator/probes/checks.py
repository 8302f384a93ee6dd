"""What a probe is told: the member's address, and settings, each ``name=value``.

Settings come from a check that the operator wrote, or by hand from the command line; nothing that
a registration says becomes one.
"""

from __future__ import annotations

import json
import os
import re
import socket
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aggregator.probes.misuse import Misuse

Reading = Callable[[str], object]
"""Turns the text of a value into the value; ValueError says what was expected."""

_DECIMAL = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,9})?", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,18}", re.ASCII)
_HOST = re.compile(r"[0-9A-Za-z_\u00a1-\U0010ffff][^\s/\\]*")


def host_of(address: str) -> str:
    """The host in an http or https URL; an IPv6 address comes without its brackets."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    # The second is that of an IPv6 address such as ::1.
    if not host or parts.scheme not in {"http", "https"}:
        raise Misuse(f"{address!r} is no http or https URL with a host")
    if not (_HOST.fullmatch(host) or family_of(host)):
        raise Misuse(f"{address!r} is no http or https URL with a host")
    return host


def family_of(host: str) -> str:
    """``ipv4`` or ``ipv6`` for a numeric address, else empty."""
    for name, family in (("ipv4", socket.AF_INET), ("ipv6", socket.AF_INET6)):
        try:
            socket.inet_pton(family, host.partition("%")[0])
        except (OSError, ValueError):
            continue
        return name
    return ""


def words_for(given: Sequence[str], program: Path) -> list[str]:
    """The settings that are meant by what stands behind the address: themselves, or a check's.

    The service tells a check's words in AGGREGATOR_PROBE_CHECK; by hand they are those of the file
    NAME.toml beside the program, where there is one.
    """
    if told := os.environ.get("AGGREGATOR_PROBE_CHECK"):
        return _texts(json.loads(told), "AGGREGATOR_PROBE_CHECK")
    if len(given) != 1 or "=" in given[0]:
        return list(given)
    file = program.resolve().with_suffix(".toml")
    checks = tomllib.loads(file.read_text("utf-8")).get("checks") if file.exists() else {}
    if not isinstance(checks, dict):
        raise Misuse(f"{file} needs a table [checks]")
    if given[0] not in checks:
        known = ", ".join(sorted(checks)) or "none"
        raise Misuse(f"there is no check {given[0]!r} (there are {known}), nor is it NAME=VALUE")
    return _texts(checks[given[0]], f"the check {given[0]!r}")


def _texts(found: object, what: str) -> list[str]:
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise Misuse(f"{what} is no list of texts")
    return found


def read_settings(words: Iterable[str], known: Mapping[str, Reading]) -> dict[str, Any]:
    """The values of the settings that `words` give, each by its name."""
    found: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in known:
            raise Misuse(f"{word[:60]!r} is no setting; there are {', '.join(known)}: NAME=VALUE")
        try:
            found[name] = known[name](value)
        except ValueError as error:
            raise Misuse(f"{name}: {value[:60]!r} is no {error}") from None
    return found


def whole(least: int, most: int) -> Reading:
    """Reads a whole number within bounds."""

    def read(text: str) -> int:
        if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
            raise ValueError(f"whole number from {least} to {most}")
        return int(text)

    return read


def decimal(least: float, most: float) -> Reading:
    """Reads a number with decimals within bounds."""

    def read(text: str) -> float:
        if not _DECIMAL.fullmatch(text) or not least <= float(text) <= most:
            raise ValueError(f"number from {least:g} to {most:g}")
        return float(text)

    return read


def one_of(*names: str) -> Reading:
    """Reads one of some names."""

    def read(text: str) -> str:
        if text not in names:
            raise ValueError(f"one of {', '.join(names)}")
        return text

    return read


def address(text: str) -> str:
    """Reads a numeric address of this machine."""
    if not family_of(text) or not re.fullmatch(r"[0-9A-Fa-f:.]+(?:%[0-9A-Za-z_.-]+)?", text):
        raise ValueError("IPv4 or IPv6 address")
    return text
