"""The probe folder: which executables may run, and with what arguments and environment.

A probe is a regular executable file beneath the folder whose name begins with neither ``_`` nor
``.``. A probe NAME may offer checks, asked for as ``NAME/CHECK``: those that the configuration
gives it or else those of the table ``[checks]`` in a file ``NAME.toml`` beside it.
"""

from __future__ import annotations

import importlib.resources
import json
import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aggregator.collect.probe_files import locate, read_checks, require_trusted
from aggregator.collect.probe_input import member_address, probe_name
from aggregator.errors import ConfigError

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@-]*")
_PATH = ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin")
_NAMES_TOLD = 30


@dataclass(frozen=True, slots=True)
class Kind:
    """What executables of a folder are: to people, the section of their settings, and the name
    of the folder in ``libexec``."""

    noun: str
    section: str
    folder: str


PROBES = Kind("probe", "probes", "aggrexec")
ACTIONS = Kind("action", "triggers", "trigger")


def shipped_folder(kind: Kind = PROBES) -> Path:
    """The folder of the probes, or of the actions, that come with the project."""
    return Path(str(importlib.resources.files(f"aggregator.libexec.{kind.folder}")))


@dataclass(frozen=True, slots=True)
class Probe:
    """An executable that may run.

    ``name`` is what ProbeName says, without a prefix; ``path`` is the real path. Where the probe
    offers checks, ``check`` is the name of one and ``words`` are its words; else they are empty.
    """

    name: str
    path: Path
    check: str = ""
    words: tuple[str, ...] = ()

    def command(self, address: str) -> tuple[str, ...]:
        """The argument list: the executable, the member's address, the check if there is one.

        ConfigError where the address is no http or https URL.
        """
        command = (str(self.path), member_address(address))
        return (*command, self.check) if self.check else command


class ProbeFolder:
    """The probes of one folder, and the rules by which they run."""

    def __init__(
        self,
        folder: Path,
        *,
        allowed: Collection[str] = (),
        checks: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
        kind: Kind = PROBES,
    ) -> None:
        """Look at the folder once; ConfigError where it can't be trusted or a setting is wrong.

        `allowed` names the probes that may run, ``NAME`` or ``NAME/CHECK``; empty allows all.
        `checks` gives probes their checks, each a name and its words, in place of a file's.
        `kind` is what the executables are to people, and to the settings.
        """
        self._kind = kind
        self.folder = _real_folder(folder, kind)
        self._allowed: frozenset[str] = frozenset()
        self._checks = self._find_checks(checks or {})
        for name in allowed:
            if reason := self.refusal_of(name):
                told = f"the {kind.noun} {name!r} {reason}"
                raise ConfigError(told, element=f"{kind.section}.allowed")
        self._allowed = frozenset(allowed)

    def refusal_of(self, name: str) -> str:
        """Why a name can't be one of the probes that may run; empty where it can."""
        if name in self._checks:
            return ""
        try:
            self._resolve(name)
        except ConfigError as error:
            return error.message
        return ""

    def may_be_allowed(self) -> list[str]:
        """Every name that the probes that may run can be chosen from, in order."""
        return sorted({*self.names(), *self._checks})

    def resolve(self, name: str) -> Probe:
        """The probe that a ProbeName asks for; ConfigError where there is none or it may not run.

        White space around the name and a prefix are ignored.
        """
        name = probe_name(name)
        try:
            return self._resolve(name)
        except ConfigError as error:
            known = self.names()
            told = ", ".join(known[:_NAMES_TOLD]) or "none"
            more = ", ..." if len(known) > _NAMES_TOLD else ""
            told = (
                f"the {self._kind.noun} {name[:200]!r} {error.message}; allowed here: {told}{more}"
            )
            raise ConfigError(told, element=error.element) from None

    def names(self) -> list[str]:
        """Every name that `resolve` takes, in order."""
        found = list(self._executables())
        plain = [name for name in found if name not in self._checks]
        checks = [f"{name}/{c}" for name in found for c in self._offered(name)]
        return sorted(name for name in plain + checks if self._is_allowed(name))

    def environment(
        self, probe: Probe, *, extra: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """What the probe finds in its environment, beside HOME, TMPDIR and its run's id.

        PATH begins with the folder of this interpreter, so that ``#!/usr/bin/env python3`` finds
        the packages of this installation. GLOBUS_LOCATION is the folder above
        ``libexec/aggrexec`` (``libexec/trigger``), or the folder itself where it is laid out
        otherwise.
        """
        above = self.folder.parent
        laid_out = (above.name, self.folder.name) == ("libexec", self._kind.folder)
        environment = {
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), *_PATH)),
            "LANG": "C.UTF-8",
            "GLOBUS_LOCATION": str(above.parent if laid_out else self.folder),
        }
        if probe.words:
            environment["AGGREGATOR_PROBE_CHECK"] = json.dumps(probe.words)
        return environment | dict(extra or {})

    def _resolve(self, name: str) -> Probe:
        if name in self._checks:
            raise ConfigError("needs the name of one of its checks behind it")
        parent, _, check = name.rpartition("/")
        if parent not in self._checks:
            probe = Probe(name, self._executable(name))
        elif check in self._offered(parent):
            words = tuple(self._checks[parent][check])
            probe = Probe(name, self._executable(parent), check, words)
        else:
            raise ConfigError("does not exist")
        if not self._is_allowed(name):
            raise ConfigError("is not allowed")
        return probe

    def _is_allowed(self, name: str) -> bool:
        """Whether the list of allowed probes has the name, or the probe whose check it names."""
        parent = name.rpartition("/")[0]
        by_probe = parent if parent in self._checks else name
        return not self._allowed or bool({name, by_probe} & self._allowed)

    def _offered(self, name: str) -> Mapping[str, Sequence[str]]:
        return self._checks.get(name, {})

    def _find_checks(
        self, configured: Mapping[str, Mapping[str, Sequence[str]]]
    ) -> dict[str, Mapping[str, Sequence[str]]]:
        found = {name: checks for name, checks in configured.items() if checks}
        for name in found:
            try:
                self._executable(name)
            except ConfigError as error:
                told = f"checks are configured for the probe {name!r}, which {error.message}"
                raise ConfigError(told, element=f"probes.{name}") from None
        for name in self._executables():
            beside = self.folder / f"{name}.toml"
            if name not in found and beside.is_file():
                found[name] = read_checks(beside)
        return found

    def _executables(self) -> Iterator[str]:
        for place, _, files in os.walk(self.folder):
            for file in files:
                name = str((Path(place) / file).relative_to(self.folder))
                try:
                    self._executable(name)
                except ConfigError:
                    continue
                yield name

    def _executable(self, name: str) -> Path:
        if not all(_SEGMENT.fullmatch(segment) for segment in name.split("/")):
            raise ConfigError(f"is no path of a {self._kind.noun} inside the folder")
        return locate(self.folder, name)


def _real_folder(folder: Path, kind: Kind) -> Path:
    told = f"the {kind.noun} folder {str(folder)!r}"
    element = f"{kind.section}.folder"
    try:
        real = Path(folder).resolve(strict=True)
        os.listdir(real)
        require_trusted(real, told=told)
    except OSError as error:
        why = f"{told} can't be opened: {error.strerror}; name a folder that exists"
        raise ConfigError(why, element=element) from error
    except ConfigError as error:
        raise ConfigError(error.message, element=element) from error
    return real
