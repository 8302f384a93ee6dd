"""What a probe is given of a registration: its name there, the member's address, standard input."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from aggregator.errors import ConfigError

_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_.])?", re.IGNORECASE)
_AFTER_BRACKET = re.compile(r"[^\]]*|.*\](:\d*)?")
_DECLARATION = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?xml\s[^>]*\?>)?")


def probe_name(text: str) -> str:
    """The name in the text of a ProbeName: without white space around it and without a prefix."""
    stripped = text.strip()
    before, colon, after = stripped.partition(":")
    return after if colon and "/" not in before else stripped


def member_address(address: str) -> str:
    """The member's address as an argument; ConfigError unless it is a plain http or https URL.

    It holds no white space or control character and names a host that no program can take for
    an option.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise _refused(address, str(error)) from error
    if parts.scheme not in {"http", "https"}:
        raise _refused(address, "its scheme is neither http nor https")
    if not address.isprintable() or " " in address or "\\" in address:
        raise _refused(address, "it holds characters that no URL holds")
    if not _is_host(host) or not _AFTER_BRACKET.fullmatch(parts.netloc):
        raise _refused(address, "it names no host")
    return address


def probe_stdin(epr_xml: bytes, config_xml: bytes, *, wrapped: bool) -> bytes:
    """Standard input of a probe: the member's EPR, then its AggregatorConfig.

    They are two documents in sequence, as in MDS4 3.9.4, or, `wrapped`, children of one
    ``inputDocument``, as in 4.0.
    """
    parts = [_DECLARATION.sub(b"", xml).strip() for xml in (epr_xml, config_xml)]
    if wrapped:
        return b"<inputDocument>%s%s</inputDocument>\n" % tuple(parts)
    return b"%s\n%s\n" % tuple(parts)


def _is_host(host: str) -> bool:
    if ":" in host:
        try:
            return ipaddress.IPv6Address(host).scope_id is None
        except ValueError:
            return False
    try:
        return bool(_HOST.fullmatch(host.encode("idna").decode("ascii")))
    except UnicodeError:
        return False


def _refused(address: str, why: str) -> ConfigError:
    return ConfigError(
        f"a probe needs a member with an http or https address, not {address[:200]!r}: {why}"
    )
