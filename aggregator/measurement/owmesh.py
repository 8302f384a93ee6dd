"""What perfSONAR's owmesh.conf says of databases: names and values, blocks of them left aside.

A name is looked for as NAME, with BW or OWP before it, with CENTRAL before it, and with both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from aggregator.config.measured_databases import Layout
from aggregator.errors import MeasurementsRefused

FILE = "owmesh.conf"
_BLOCK = re.compile(r"<(/?)([A-Za-z]+)(?:=[^>]*)?>")
_LINE = re.compile(r"(!?)([A-Za-z0-9_]+)(?:\s+(.*?))?\s*")
_SCHEMES = {"mysql": "mysql+pymysql", "mariadb": "mysql+pymysql", "pg": "postgresql+psycopg"}
#: Bytes of a file; those of the field have some thousands.
_LARGEST = 2**20


class NamedDatabase(NamedTuple):
    """A database that the file names; its layout is that of the tools' prefix."""

    layout: Layout
    driver: str
    host: str
    name: str
    user: str
    password: str

    @property
    def url(self) -> str:
        """The same as an URL of SQLAlchemy."""
        scheme = _SCHEMES.get(self.driver.lower().removeprefix("dbi:"), "mysql+pymysql")
        user = quote(self.user, safe="")
        password = f":{quote(self.password, safe='')}" if self.password else ""
        is_ipv6 = self.host.count(":") > 1 and not self.host.startswith("[")
        host = f"[{self.host}]" if is_ipv6 else self.host
        return f"{scheme}://{user}{password}@{host}/{quote(self.name, safe='')}"


def read_owmesh(place: Path) -> Mapping[str, str]:
    """The values outside of all blocks by their names in lower case; a switched off one is empty.

    `place` is the file, or its folder. Raises MeasurementsRefused.
    """
    path = place / FILE if place.is_dir() else place
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST + 1)
    except OSError as error:
        raise MeasurementsRefused(f"{path} can't be read: {error.strerror}") from error
    if len(text) > _LARGEST:
        raise MeasurementsRefused(f"{path} has more than {_LARGEST} bytes")
    return _values(text.decode(errors="replace"), path)


def _values(text: str, path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    depth = 0
    for number, whole in enumerate(text.splitlines(), 1):
        line = whole.partition("#")[0].strip()
        if not line:
            continue
        if block := _BLOCK.fullmatch(line):
            depth += -1 if block[1] else 1
        elif depth == 0:
            told = _LINE.fullmatch(line)
            if told is None:
                # Without the line, which may hold a password.
                expected = "expected is a name, space and a value, or a block such as <NODE=name>"
                raise MeasurementsRefused(f"{path}, line {number}: {expected}")
            found[told[2].lower()] = "" if told[1] else (told[3] or "")
    return found


def databases_of(values: Mapping[str, str]) -> list[NamedDatabase]:
    """The databases of bwctl and owamp, where they are named."""
    found = []
    prefixes: tuple[tuple[Layout, str], ...] = (("bwctl", "bw"), ("owamp", "owp"))
    for layout, prefix in prefixes:
        name = _look_up(values, prefix, "dbname")
        if name:
            found.append(
                NamedDatabase(
                    layout,
                    _look_up(values, prefix, "dbtype") or "DBI:mysql",
                    _look_up(values, prefix, "dbhost") or "localhost",
                    name,
                    _look_up(values, prefix, "dbuser"),
                    _look_up(values, prefix, "dbpass"),
                )
            )
    return found


def _look_up(values: Mapping[str, str], prefix: str, name: str) -> str:
    for known in (name, f"{prefix}{name}", f"central{name}", f"{prefix}central{name}"):
        if value := values.get(known):
            return value
    return ""
