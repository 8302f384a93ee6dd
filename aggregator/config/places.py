"""Files, folders, hosts, networks and addresses as values of settings."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from aggregator.config.kinds import Fault, Kind, Refused, listing, not_a, shown
from aggregator.config.names import closest

DATABASES = ("postgresql", "sqlite")
BROKERS = ("amqp", "amqps")
_SCHEME = re.compile(r"\w+(\+\w+)?", re.ASCII)
#: As SQLAlchemy divides them: user and password of a URL, the password up to the first @.
_USER = re.compile(r"[^:/]*(:[^@]*)?@")
_PORT = re.compile(r"[0-9]{1,5}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def file_name() -> Kind[str]:
    """Return the kind of a file's or folder's name, empty for none."""

    def rebase(value: str, folder: Path) -> str:
        return str(_resolved(value, folder)) if value else ""

    return Kind("file name", _path_text, rebase=rebase)


def folder() -> Kind[Path]:
    """Return the kind of a folder's name that has to be given."""

    def read(value: object) -> Path:
        given = _path_text(value)
        if not given:
            raise not_a(value, "the name of a folder")
        return Path(given)

    return Kind("folder", read, rebase=_resolved)


def folders() -> Kind[tuple[Path, ...]]:
    """Return the kind of a list of folders."""
    return listing(replace(folder(), name="folders"))


def state_folder(environ: Mapping[str, str]) -> Path:
    """Return where a user's programs keep their state (XDG Base Directory Specification)."""
    if os.path.isabs(environ.get("XDG_STATE_HOME", "")):
        return Path(environ["XDG_STATE_HOME"], "mds-aggregator")
    if os.path.isabs(environ.get("HOME", "")):
        return Path(environ["HOME"], ".local", "state", "mds-aggregator")
    return Path("/var/lib/mds-aggregator")


def _path_text(value: object) -> str:
    given = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(given, str) or "\0" in given:
        raise not_a(value, "the name of a file or folder")
    return given


def _resolved(value: str | Path, base: Path) -> Path:
    return Path(os.path.normpath(base.absolute() / os.path.expanduser(value)))


def host() -> Kind[str]:
    """Return the kind of a host's name or IP address, without scheme and port."""

    def read(value: object) -> str:
        if isinstance(value, str) and (_HOST.fullmatch(value) or _is_address(value)):
            return value
        raise not_a(value, "a host name or an IP address, without scheme and port")

    return Kind("host name or address", read)


def _is_address(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def network() -> Kind[str]:
    """Return the kind of an IPv4 or IPv6 network such as ``10.0.0.0/8``, in its usual spelling."""

    def read(value: object) -> str:
        if not isinstance(value, str):
            raise not_a(value, "a network such as 10.0.0.0/8")
        try:
            return str(ipaddress.ip_network(value.strip()))
        except ValueError:
            raise Refused(Fault(_wrong_network(value))) from None

    return Kind("networks", read)


def _wrong_network(value: str) -> str:
    try:
        meant = ipaddress.ip_network(value.strip(), strict=False)
    except ValueError:
        return f"{shown(value)} is not a network such as 10.0.0.0/8 or 2001:db8::/32"
    return f"{shown(value)} names a host in a network; write {meant} for the whole network"


def web_address() -> Kind[str]:
    """Return the kind of an http or https address without query, empty for none."""
    expected = "an address such as https://grid.example.org, without user, query and fragment"

    def read(value: object) -> str:
        if value == "":
            return ""
        if not isinstance(value, str) or not _is_web_address(value):
            raise not_a(value, expected)
        return value.rstrip("/")

    return Kind("http or https address", read)


def _is_web_address(value: str) -> bool:
    if not re.fullmatch(r"[\x21-\x7e]+", value) or re.search(r"[?#@\"<>\\]", value):
        return False
    try:
        parts = urlsplit(value)
        wrong_port = parts.port == 0
    except ValueError:
        return False
    named = bool(parts.hostname) and (
        _HOST.fullmatch(parts.hostname or "") is not None or _is_address(parts.hostname or "")
    )
    return parts.scheme in {"http", "https"} and named and not wrong_port


def database_url() -> Kind[str]:
    """Return the kind of a database's URL, empty for the embedded database.

    Its refusals never repeat the URL, since that may hold a password.
    """

    def read(value: object) -> str:
        if value == "":
            return ""
        scheme, separator, rest = value.partition("://") if isinstance(value, str) else ("", "", "")
        if not separator or not _SCHEME.fullmatch(scheme):
            raise Refused(Fault("not a URL such as postgresql+psycopg://user@host/database"))
        database = scheme.partition("+")[0]
        if database not in DATABASES:
            near = closest(database, DATABASES)
            meant = f"did you mean {near}://?" if near else f"expected one of {DATABASES_TEXT}"
            raise Refused(Fault(f"database {shown(database)} is not supported; {meant}"))
        if database == "sqlite" and rest.strip("/") in {"", ":memory:"}:
            raise Refused(Fault("a database in memory can't be shared by processes; name a file"))
        if fault := _file_fault(rest) if database == "sqlite" else _server_fault(rest):
            raise Refused(Fault(fault))
        return str(value)

    return Kind("database URL", read)


def _file_fault(rest: str) -> str:
    """Why what stands behind ``sqlite://`` names no file; empty where it does."""
    return "" if rest.startswith("/") else "a file has no host; write sqlite:///path"


def _server_fault(rest: str) -> str:
    """Why what stands behind ``postgresql://`` can't be meant; empty where it can.

    A part of a password that was taken for the host, the port or the database would be told by
    the driver, in each line about a server that can't be reached.
    """
    user = _USER.match(rest)
    place = rest[user.end() :] if user else rest
    server, *_ = re.split("[/?]", place, maxsplit=1)
    port = server.rpartition("]")[2].partition(":")[2]
    told = place if user and ":" in user[0] else place.partition("?")[0]
    if "@" in told:
        return "write %40 for an @ and %2F for a / in a user, a password or a database's name"
    if port and not (_PORT.fullmatch(port) and 0 < int(port) <= 65535):
        return "the port is no number from 1 to 65535; a password stands before an @ and the host"
    return ""


DATABASES_TEXT = ", ".join(f"{name}://" for name in DATABASES)


def broker_url() -> Kind[str]:
    """Return the kind of a broker's URL, empty for none.

    Its refusals never repeat the URL, since that may hold a password.
    """

    def read(value: object) -> str:
        if value == "":
            return ""
        scheme, separator, rest = value.partition("://") if isinstance(value, str) else ("", "", "")
        if not separator or scheme not in BROKERS:
            expected = " or ".join(f"{name}://" for name in BROKERS)
            raise Refused(Fault(f"not a broker's URL; expected {expected}user:password@host/vhost"))
        if fault := _server_fault(rest):
            raise Refused(Fault(fault))
        if not re.split("[/?]", rest.rpartition("@")[2], maxsplit=1)[0]:
            raise Refused(Fault("the broker's URL names no host"))
        return str(value)

    return Kind("broker URL", read)
