"""The setting ``series``: numbers that an archive takes out of what is delivered."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aggregator.config.kinds import Fault, Kind, Refused, not_a
from aggregator.config.names import unknown

#: Series of one group: each is evaluated on every delivery.
MOST = 100
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_PREFIX = re.compile(r"[A-Za-z_][\w.-]*", re.ASCII)
_KEYS = {"xpath": None, "namespaces": None}


@dataclass(frozen=True, slots=True)
class Series:
    """A number of each delivery: what `xpath` gives on its AggregatorData, as number() has it.

    ``namespaces`` are pairs of prefix and name.
    """

    name: str
    xpath: str
    namespaces: tuple[tuple[str, str], ...] = ()


def series_table() -> Kind[tuple[Series, ...]]:
    """Return the kind of a table of series by their names."""

    def read(value: object) -> tuple[Series, ...]:
        if not isinstance(value, dict) or len(value) > MOST:
            raise not_a(value, f"a table of at most {MOST} series, each with its xpath")
        faults: list[Fault] = []
        taken: list[Series] = []
        for name, given in value.items():
            try:
                taken.append(_series(name, given))
            except Refused as refused:
                faults += (Fault(fault.text, (name, *fault.below)) for fault in refused.faults)
        if faults:
            raise Refused(*faults)
        return tuple(taken)

    return Kind("tables", read, _shown, from_text=None)


def _series(name: str, given: object) -> Series:
    if not _NAME.fullmatch(name):
        raise Refused(Fault("the name of a series has letters, digits and _, a letter first"))
    if not isinstance(given, dict) or not isinstance(given.get("xpath"), str):
        raise not_a(given, "a table with an xpath, and namespaces where that has prefixes")
    faults = [Fault(unknown("key", key, _KEYS), (key,)) for key in given if key not in _KEYS]
    namespaces = given.get("namespaces", {})
    if not isinstance(namespaces, dict):
        raise not_a(namespaces, "a table of prefixes with their namespaces")
    for prefix, uri in namespaces.items():
        if not _PREFIX.fullmatch(prefix) or not isinstance(uri, str) or not uri:
            fault = f"{prefix!r} is no prefix with a namespace, such as glue = {_EXAMPLE!r}"
            faults.append(Fault(fault, ("namespaces", prefix)))
    if faults:
        raise Refused(*faults)
    return Series(name, given["xpath"], tuple(sorted(namespaces.items())))


_EXAMPLE = "http://mds.globus.org/glue/ce/1.1"


def _shown(value: tuple[Series, ...]) -> str:
    return "{}" if not value else "a table"
