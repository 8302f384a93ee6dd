"""The setting ``measurement.databases``: databases of measurements that are read in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from aggregator.config.kinds import Fault, Kind, Refused, not_a
from aggregator.config.names import unknown
from aggregator.config.places import file_name

Layout = Literal["bwctl", "owamp", "ami"]
LAYOUTS: tuple[Layout, ...] = ("bwctl", "owamp", "ami")
SPOKEN = ("mariadb", "mysql", "postgresql", "sqlite")
_KEYS = {"url": None, "layout": None, "password_file": None}


@dataclass(frozen=True, slots=True)
class MeasuredDatabaseSettings:
    """One database: its SQLAlchemy URL, which may hold a password, and how its tables are laid out.

    ``password_file`` names the file that holds the password, where the URL does not.
    """

    url: str = field(repr=False)
    layout: Layout
    password_file: str = ""


def database_tables() -> Kind[tuple[MeasuredDatabaseSettings, ...]]:
    """Return the kind of a list of tables, one for each database."""

    def read(value: object) -> tuple[MeasuredDatabaseSettings, ...]:
        if not isinstance(value, list | tuple):
            raise not_a(value, "a list of tables, each with url and layout")
        faults: list[Fault] = []
        taken: list[MeasuredDatabaseSettings] = []
        for position, given in enumerate(value):
            try:
                taken.append(_database(given))
            except Refused as refused:
                faults += (Fault(fault.text, (position, *fault.below)) for fault in refused.faults)
        if faults:
            raise Refused(*faults)
        return tuple(taken)

    def rebase(
        values: tuple[MeasuredDatabaseSettings, ...], folder: Path
    ) -> tuple[MeasuredDatabaseSettings, ...]:
        resolve = file_name().rebase
        assert resolve is not None
        return tuple(
            replace(one, password_file=resolve(one.password_file, folder)) for one in values
        )

    return Kind(
        "list of tables", read, lambda value: "tables" if value else "[]", None, rebase=rebase
    )


def _database(given: object) -> MeasuredDatabaseSettings:
    """One table; what is refused is never repeated, since a URL may hold a password."""
    if isinstance(given, MeasuredDatabaseSettings):
        return given
    if not isinstance(given, Mapping):
        raise Refused(Fault("not a table with url and layout"))
    faults = [Fault(unknown("key", key, _KEYS), (key,)) for key in given if key not in _KEYS]
    url = given.get("url")
    layout = next((one for one in LAYOUTS if one == given.get("layout")), None)
    scheme = url.partition("://")[0].partition("+")[0] if isinstance(url, str) else ""
    if scheme not in SPOKEN:
        expected = ", ".join(f"{name}://" for name in SPOKEN)
        faults.append(Fault(f"not a URL of SQLAlchemy; expected one of {expected}", ("url",)))
    if layout is None:
        faults.append(Fault(f"not one of {', '.join(LAYOUTS)}", ("layout",)))
    password_file = given.get("password_file", "")
    if not isinstance(password_file, str):
        faults.append(Fault("not the name of a file", ("password_file",)))
    if faults or layout is None:
        raise Refused(*faults)
    return MeasuredDatabaseSettings(str(url), layout, str(password_file))
