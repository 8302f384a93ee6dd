"""The three sources of settings: a TOML file, the environment, the command line."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from aggregator.config.errors import Problem
from aggregator.config.given import Gathered, Given, Source, refusal_of_section, refusal_outside
from aggregator.config.groups import GroupSettings
from aggregator.config.names import OPTIONS, PREFIX, closest, variable_name
from aggregator.config.setting import settings_of
from aggregator.config.settings import GROUP_SECTION, SECTIONS

_FILE, _ENVIRONMENT, _OPTION = 1, 2, 3
_TOML_ERROR = re.compile(r"(?P<text>.*) \(at (line (?P<line>\d+), column \d+|end of document)\)")

# Variables in our name space that are not settings: those of the test suite, what probes and
# actions are given, which may run commands of ours, and the links that Kubernetes and Docker set in
# every container for a service whose name begins with ours.
_FOREIGN_NAME = re.compile(
    r"AGGREGATOR_(TEST_.*|EVENTS_SYSTEM|PROBE_(ID|CHECK)|ACTION_(ID|SETTINGS)"
    r"|(.*_)?SERVICE_(HOST|PORT)(_.*)?)"
)
_LINK_NAME = re.compile(
    r"AGGREGATOR_(.*_)?PORT(?P<of_port>_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?"
)
_LINK_VALUE = re.compile(r"(tcp|udp|sctp)://.*")


def from_file(file: Path, gathered: Gathered, *, content: bytes | None = None) -> None:
    """Take what a TOML file gives; `content` stands for what it held at some time."""
    folder = file.absolute().parent
    source = Source(str(file), _FILE, folder)
    try:
        text = (file.read_bytes() if content is None else content).decode("utf-8")
        tree = tomllib.loads(text)
    except OSError as error:
        gathered.refuse(source, (), f"can't be read: {os.strerror(error.errno or 0)}")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problem = Problem("not UTF-8, which TOML demands", source=source.name, line=line)
        gathered.problems.append(problem)
    except tomllib.TOMLDecodeError as error:
        gathered.problems.append(_not_toml(source.name, text, str(error)))
    else:
        _take_tree(tree, Source(source.name, _FILE, folder, text), gathered)


def _not_toml(name: str, text: str, message: str) -> Problem:
    found = _TOML_ERROR.fullmatch(message)
    line = int(found["line"]) if found and found["line"] else text.count("\n") + 1
    reason = found["text"] if found else message
    return Problem(f"not TOML: {reason}", source=name, line=line)


def _take_tree(tree: Mapping[str, Any], source: Source, gathered: Gathered) -> None:
    for section, content in tree.items():
        if section not in SECTIONS and section != GROUP_SECTION:
            refusal = refusal_of_section if isinstance(content, dict) else refusal_outside
            gathered.refuse(source, (section,), refusal(section))
        elif not isinstance(content, dict):
            gathered.refuse(source, (section,), f"must be a table, written as [{section}]")
        elif section == GROUP_SECTION:
            for name, keys in content.items():
                _take_group(name, keys, source, gathered)
        else:
            for key, value in content.items():
                gathered.take(Given((section, key), value, source))


def _take_group(name: str, keys: object, source: Source, gathered: Gathered) -> None:
    if not isinstance(keys, dict):
        text = f"must be a table, written as [{GROUP_SECTION}.{name}]"
        gathered.refuse(source, (GROUP_SECTION, name), text)
        return
    gathered.name_group(name, source)
    for key, value in keys.items():
        gathered.take(Given((GROUP_SECTION, name, key), value, source))


def from_environment(environ: Mapping[str, str], gathered: Gathered) -> None:
    """Take what the variables that begin with ``AGGREGATOR_`` give.

    They can set what a group has that another source names, and can't declare one.
    """
    known = _variables(gathered.groups)
    for name in sorted(environ):
        if not name.startswith(PREFIX) or _is_foreign(name, environ[name]):
            continue
        source = Source(name, _ENVIRONMENT, Path.cwd())
        paths = known.get(name, [])
        if len(paths) == 1:
            gathered.take(Given(paths[0], environ[name], source, is_text=True))
        elif paths:
            fitting = " and ".join(".".join(path) for path in paths)
            gathered.refuse(source, (), f"names both {fitting}; set them in the file")
        else:
            gathered.refuse(source, (), _unknown_variable(name, known))


def _unknown_variable(name: str, known: Collection[str]) -> str:
    near = closest(
        name.removeprefix(PREFIX), [known_name.removeprefix(PREFIX) for known_name in known]
    )
    if near is not None:
        return f"unknown setting; did you mean {PREFIX}{near}?"
    return f"unknown setting; expected {PREFIX}SECTION_KEY, such as {PREFIX}SERVER_PORT"


def _is_foreign(name: str, value: str) -> bool:
    if _FOREIGN_NAME.fullmatch(name):
        return True
    link = _LINK_NAME.fullmatch(name)
    return link is not None and bool(link["of_port"] or _LINK_VALUE.fullmatch(value))


def _variables(groups: Collection[str]) -> dict[str, list[tuple[str, ...]]]:
    named: dict[str, list[tuple[str, ...]]] = {}
    for path in _paths(groups):
        named.setdefault(variable_name(path), []).append(path)
    return named


def _paths(groups: Collection[str]) -> Iterator[tuple[str, ...]]:
    for section, declared in SECTIONS.items():
        yield from ((section, key) for key in settings_of(declared))
    for group in groups:
        yield from ((GROUP_SECTION, group, key) for key in settings_of(GroupSettings))


def from_options(options: Mapping[str, object], gathered: Gathered) -> None:
    """Take what the command line gave; None stands for an option that was not given."""
    for name, value in options.items():
        if value is not None:
            source = Source(OPTIONS.get(name, f"option {name}"), _OPTION, Path.cwd())
            path = tuple(name.split("."))
            gathered.take(Given(path, value, source, is_text=isinstance(value, str)))
