"""What each source of settings gives, before anything is known about its values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aggregator.config.errors import Problem
from aggregator.config.groups import GroupSettings
from aggregator.config.lines import line_of
from aggregator.config.names import OPTIONS, closest, unknown
from aggregator.config.setting import settings_of
from aggregator.config.settings import GROUP_SECTION, SECTIONS

_TABLES: Mapping[str, type[Any]] = {**SECTIONS, f"{GROUP_SECTION}.NAME": GroupSettings}


@dataclass(frozen=True, slots=True)
class Source:
    """A source of settings: its name for messages, and its text where it has lines.

    ``base`` is the folder that relative file names of this source start from; of two sources the
    one with the higher ``rank`` wins.
    """

    name: str
    rank: int
    base: Path
    text: str = ""

    def problem(self, path: Sequence[str | int], text: str) -> Problem:
        """Return what is wrong at ``path``, with the line where it stands."""
        key = ".".join(part if isinstance(part, str) else str(part + 1) for part in path)
        if self.name in OPTIONS.values():
            # The option names its setting already.
            key = ""
        return Problem(text, source=self.name, line=line_of(self.text, path), key=key)


@dataclass(frozen=True, slots=True)
class Given:
    """A value for the setting at ``path``; ``is_text`` where it was written without a type."""

    path: tuple[str, ...]
    value: object
    source: Source
    is_text: bool = False


class Gathered:
    """All that the sources give, the groups named on the way, and what is wrong so far."""

    def __init__(self, *groups: str) -> None:
        self.defaults = Source("defaults", 0, Path.cwd())
        self.given: list[Given] = []
        self.groups: dict[str, Source] = dict.fromkeys(groups, self.defaults)
        self.problems: list[Problem] = []

    def take(self, given: Given) -> None:
        """Keep a value whose setting exists; note a problem otherwise."""
        if refusal := refusal_of(given.path):
            self.refuse(given.source, given.path, refusal)
            return
        if given.path[0] == GROUP_SECTION:
            self.name_group(given.path[1], given.source)
        self.given.append(given)

    def name_group(self, name: str, source: Source) -> None:
        """Note that a group is declared, and where it is for the first time."""
        if self.groups.setdefault(name, source).rank == 0:
            self.groups[name] = source

    def source_of(self, path: Sequence[str]) -> Source:
        """Return what declared the group at ``path``; the defaults for all else."""
        return self.groups.get(path[1], self.defaults)

    def refuse(self, source: Source, path: Sequence[str | int], text: str) -> None:
        """Note a problem."""
        self.problems.append(source.problem(path, text))


def refusal_of(path: Sequence[str]) -> str:
    """Return why there is no setting at ``path``; empty where there is one."""
    section, *keys = path
    if section == GROUP_SECTION:
        if len(keys) != 2:
            return f"expected the key of a group, such as {GROUP_SECTION}.NAME.sinks"
        known = settings_of(GroupSettings)
    elif section not in SECTIONS:
        return refusal_of_section(section)
    else:
        known = settings_of(SECTIONS[section])
        if len(keys) != 1:
            return f"expected a key of the section, such as {section}.{next(iter(known))}"
    return "" if keys[-1] in known else _refusal_of("key", keys[-1], known)


def refusal_of_section(name: str) -> str:
    """Return why there is no section of this name."""
    return _refusal_of("section", name, [*SECTIONS, GROUP_SECTION])


def _refusal_of(what: str, name: str, known: Collection[str]) -> str:
    if homes := _homes(name):
        return f"unknown {what}; did you mean {homes}?"
    return unknown(what, name, known)


def refusal_outside(name: str) -> str:
    """Return why there is no setting of this name outside of all sections."""
    keys = {key for table in _TABLES.values() for key in settings_of(table)}
    near = closest(name, keys)
    meant = f"did you mean {_homes(near)}?" if near else "every setting stands in a section"
    return f"unknown setting; {meant}"


def _homes(key: str) -> str:
    """Return the dotted names of all settings with this key."""
    homes = (f"{name}.{key}" for name, table in _TABLES.items() if key in settings_of(table))
    return " or ".join(homes)
