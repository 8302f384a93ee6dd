"""The settings of the service out of all their sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from aggregator.config.crosschecks import Clash, clashes
from aggregator.config.errors import ConfigurationError, Problem
from aggregator.config.given import Gathered, Given, Source
from aggregator.config.groups import DEFAULT_GROUPS, GroupSettings
from aggregator.config.kinds import Fault, Refused
from aggregator.config.setting import Setting, settings_of
from aggregator.config.settings import GROUP_SECTION, SECTIONS, Settings
from aggregator.config.sources import from_environment, from_file, from_options

#: Finds what is wrong with settings by what they name: plug-ins, probes.
Further = Callable[[Settings], Iterable[Clash]]
_Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Value:
    """A value as its kind reads it, of the source that wins; without meaning where wrong."""

    source: Source
    value: Any
    is_wrong: bool


_Values = Mapping[_Path, _Value]


def load_settings(
    file: Path | None,
    *,
    environ: Mapping[str, str],
    options: Mapping[str, object],
    content: bytes | None = None,
    further: Further | None = None,
) -> Settings:
    """Return the settings from, in rising priority: defaults, file, environment, options.

    ``options`` has dotted names (``server.port``); None stands for one that was not given.
    Relative file names start from the folder of the file that holds them, those of variables and
    options from the current folder. Every value is checked, even one that a later source
    overrides. ``content`` is taken for what the file holds, where it is given. ``further`` finds
    what is wrong by more than the settings know. Raises ConfigurationError with all problems found.
    """
    gathered = Gathered(*DEFAULT_GROUPS)
    if file is not None:
        from_file(file, gathered, content=content)
    # Options come before the environment here, since both may name groups; ranks decide who wins.
    from_options(options, gathered)
    from_environment(environ, gathered)
    values = _read(gathered)
    groups = _groups(values, gathered.groups, environ)
    settings = _settings(values, groups, environ)
    told = set()
    for clash in chain(clashes(settings, groups), further(settings) if further else ()):
        # Of one value one contradiction is enough: both look at some folders.
        if (clash.paths, clash.below) not in told or not clash.paths:
            _note(clash, values, gathered)
        told.add((clash.paths, clash.below))
    if gathered.problems:
        raise ConfigurationError(tuple(_in_order(gathered.problems)))
    return settings


def _read(gathered: Gathered) -> _Values:
    """Return what was given for each path, read; one wrong value spoils its path."""
    values: dict[_Path, _Value] = {}
    for given in sorted(gathered.given, key=lambda given: given.source.rank):
        spoilt = given.path in values and values[given.path].is_wrong
        try:
            read = _Value(given.source, _read_one(given), spoilt)
        except Refused as refused:
            read = _Value(given.source, None, True)
            for fault in refused.faults:
                gathered.refuse(given.source, (*given.path, *fault.below), fault.text)
        values[given.path] = read
    return values


def _read_one(given: Given) -> object:
    kind = _settings_at(given.path)[given.path[-1]].kind
    raw = given.value
    if given.is_text:
        if kind.from_text is None:
            raise Refused(Fault(f"a {kind.name} can be set in the file only"))
        raw = kind.from_text(str(raw))
    value = kind.read(raw)
    return value if kind.rebase is None else kind.rebase(value, given.source.base)


def _settings_at(path: _Path) -> Mapping[str, Setting]:
    return settings_of(GroupSettings if path[0] == GROUP_SECTION else SECTIONS[path[0]])


def _section(path: _Path, values: _Values, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return all settings below ``path`` by their keys: what was given, else the default."""
    section: dict[str, Any] = {}
    for key, declared in _settings_at(path).items():
        given = values.get((*path, key))
        if given is None or given.is_wrong:
            section[key] = declared.default(environ)
        else:
            section[key] = given.value
    return section


def _groups(
    values: _Values, names: Iterable[str], environ: Mapping[str, str]
) -> dict[str, GroupSettings]:
    return {
        name: GroupSettings(name=name, **_section((GROUP_SECTION, name), values, environ))
        for name in names
    }


def _settings(
    values: _Values, groups: Mapping[str, GroupSettings], environ: Mapping[str, str]
) -> Settings:
    sections = {
        name: section(**_section((name,), values, environ)) for name, section in SECTIONS.items()
    }
    offered = {name: group for name, group in groups.items() if group.enabled}
    return Settings(**sections, groups=offered)


def _note(clash: Clash, values: _Values, gathered: Gathered) -> None:
    """Note a contradiction, unless a value it rests on is wrong already and stands for nothing."""
    if not clash.paths:
        gathered.problems.append(Problem(clash.text))
        return
    given = [path for path in clash.paths if path in values]
    if any(values[path].is_wrong for path in given):
        return
    blamed = given[0] if given else clash.paths[0]
    source = values[blamed].source if given else gathered.source_of(blamed)
    gathered.refuse(source, (*blamed, *clash.below), clash.text)


def _in_order(problems: list[Problem]) -> list[Problem]:
    """Return the problems of each source together, by line, sources as first met."""
    sources = list(dict.fromkeys(problem.source for problem in problems))
    return sorted(problems, key=lambda problem: (sources.index(problem.source), problem.line or 0))
