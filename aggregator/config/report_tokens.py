"""The file of who may report, ask and watch: a table of TOML for each, with a secret or a subject.

Secrets are kept as their SHA-256 alone, so that no later mistake can show one.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SECRET = re.compile(r"[\x21-\x7e]{16,200}")
_LISTS = ("nodes", "requests", "updates")
_KEYS = frozenset({"secret", "certificate", "status", *_LISTS})


@dataclass(frozen=True, slots=True)
class ReportRights:
    """What the holder of a secret, or of a client certificate, may do.

    ``digest`` is the SHA-256 of the secret, None without one; ``certificate`` the subject of a
    verified client certificate as grid map files write it, empty without one. ``nodes`` are the
    nodes as which it may report, ``requests`` the types that it may ask for, ``updates`` those that
    it may watch: names, in which ``*`` and ``?`` stand for what they do in a shell. ``status`` says
    whether it may see and repair what waits and what failed.
    """

    name: str
    digest: bytes | None
    certificate: str
    nodes: tuple[str, ...] = ()
    requests: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()
    status: bool = False


def digest_of(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def read_report_tokens(name: str) -> Sequence[ReportRights]:
    """Everybody in the file; raises ValueError, which tells no secret."""
    try:
        with open(name, "rb") as file:
            # Of the file that is read, whatever stands under its name by now.
            mode = os.fstat(file.fileno()).st_mode
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ValueError(
                    f"others may read or write {name}, which holds secrets; chmod go= it"
                )
            found = tomllib.loads(file.read().decode())
    except OSError as error:
        raise ValueError(f"{name} can't be read: {os.strerror(error.errno or 0)}") from None
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at (.*)\)$", str(error))
        where = f" at {place[1]}" if place else ""
        raise ValueError(f"{name} is no TOML: look{where}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{name} is no TOML: it is no text in UTF-8") from None
    if not found:
        raise ValueError(f"{name} names nobody: it needs a table such as [site] with a secret")
    everybody = [_read(who, table, name) for who, table in found.items()]
    _check_different(everybody, name)
    return everybody


def _read(who: str, table: Any, name: str) -> ReportRights:
    place = f"[{who}] in {name}"
    if not isinstance(table, Mapping):
        raise ValueError(f"{who} in {name} is no table; write [{who}] with a secret below it")
    if unknown := sorted(set(table) - _KEYS):
        raise ValueError(f"{place} has {unknown[0]}; there is {', '.join(sorted(_KEYS))}")
    secret, certificate = table.get("secret"), table.get("certificate", "")
    if (secret is None) == (not certificate):
        raise ValueError(f"{place} needs a secret or a certificate, one of them")
    if secret is not None and not (isinstance(secret, str) and _SECRET.fullmatch(secret)):
        raise ValueError(f"the secret of {place} needs 16 to 200 characters of ASCII, no spaces")
    if not isinstance(certificate, str) or (certificate and not certificate.startswith("/")):
        raise ValueError(f"the certificate of {place} is no subject such as /C=DE/O=Grid/CN=node1")
    if not isinstance(table.get("status", False), bool):
        raise ValueError(f"status of {place} is neither true nor false")
    lists = {key: _names(table.get(key, []), f"{key} of {place}") for key in _LISTS}
    return ReportRights(
        who,
        None if secret is None else digest_of(secret),
        certificate,
        status=table.get("status", False),
        **lists,
    )


def _names(value: Any, place: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise ValueError(f'{place} is no list of names such as ["node*"]')
    return tuple(value)


def _check_different(everybody: Sequence[ReportRights], name: str) -> None:
    seen: dict[object, str] = {}
    for one in everybody:
        key = one.digest or one.certificate
        if key in seen:
            kind = "secret" if one.digest else "certificate"
            raise ValueError(f"[{seen[key]}] and [{one.name}] in {name} have the same {kind}")
        seen[key] = one.name
