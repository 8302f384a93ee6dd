"""Modules in the configured folders: found by the names of their classes, without running them.

A file that no class to be started lies in, or depends on, is read and never run.
"""

from __future__ import annotations

import ast
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aggregator.config.names import closest
from aggregator.config.reports import DEFAULT_FOLDER, ReportsSettings
from aggregator.errors import ModuleRefused

#: Bytes of a module, which is written by hand.
_LARGEST = 4 * 2**20
#: Names that a message tells.
_TOLD = 20


@dataclass(frozen=True, slots=True)
class ModuleClass:
    """A class of a module: its name, its file, and the classes that it says it depends on; `wrong`
    tells why these can't be read, which matters once somebody wants it."""

    name: str
    path: Path
    dependencies: tuple[str, ...]
    wrong: str = ""


@dataclass(slots=True)
class _Folders:
    """What lies in the folders: classes by name, and the files that could not be read."""

    paths: Sequence[Path]
    classes: dict[str, list[ModuleClass]] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)


def folders_of(settings: ReportsSettings) -> Sequence[Path]:
    """Where modules are looked for."""
    return settings.folders or (DEFAULT_FOLDER.absolute(),)


def modules_of(settings: ReportsSettings) -> list[ModuleClass]:
    """The tree of the classes that are to be started; raises ModuleRefused."""
    return dependency_tree(settings.modules, folders_of(settings))


def dependency_tree(names: Sequence[str], folders: Sequence[Path]) -> list[ModuleClass]:
    """The classes that are named and all that they depend on, each after what it depends on.

    Raises ModuleRefused for a folder or a file that can't be trusted, a class that is missing or is
    there twice, and for classes that depend on each other in a circle; all are named.
    """
    if not names:
        return []
    found = _read_folders(folders)
    ordered: dict[str, ModuleClass] = {}
    for name in names:
        _visit(name, found, ordered, path=())
    for one in ordered.values():
        _check_file(one.path)
    return list(ordered.values())


def subtree(name: str, tree: Sequence[ModuleClass]) -> list[ModuleClass]:
    """The part of a tree that one of its classes needs, in the same order."""
    by_name = {one.name: one for one in tree}
    wanted: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one not in wanted:
            wanted.add(one)
            waiting += by_name[one].dependencies
    return [one for one in tree if one.name in wanted]


def _visit(
    name: str, found: _Folders, ordered: dict[str, ModuleClass], *, path: tuple[str, ...]
) -> None:
    if name in ordered:
        return
    if name in path:
        circle = " -> ".join((*path[path.index(name) :], name))
        raise ModuleRefused(f"modules depend on each other in a circle: {circle}")
    one = _only(name, found, needed_by=path[-1] if path else "")
    if one.wrong:
        raise ModuleRefused(one.wrong)
    for dependency in one.dependencies:
        _visit(dependency, found, ordered, path=(*path, name))
    ordered[name] = one


def _only(name: str, found: _Folders, *, needed_by: str) -> ModuleClass:
    classes = found.classes.get(name, [])
    if len(classes) > 1:
        places = " and ".join(str(one.path) for one in classes)
        raise ModuleRefused(f"two modules have a class {name}: {places}; rename one")
    if classes:
        return classes[0]
    needs = f"{needed_by} depends on {name}, but" if needed_by else ""
    where = ", ".join(map(str, found.paths))
    text = f"{needs} no class {name} is in {where}".strip()
    if near := closest(name, sorted(found.classes)):
        text += f"; did you mean {near}?"
    if found.unread:
        text += f"; could not be read: {', '.join(found.unread[:_TOLD])}"
    raise ModuleRefused(text)


def _read_folders(folders: Sequence[Path]) -> _Folders:
    found = _Folders(folders)
    for folder in folders:
        for path in _files(folder):
            try:
                classes = list(_classes(path))
            except (OSError, SyntaxError, ValueError, MemoryError, RecursionError) as error:
                found.unread.append(f"{path} ({error})")
                continue
            for one in classes:
                found.classes.setdefault(one.name, []).append(one)
    return found


def _files(folder: Path) -> list[Path]:
    try:
        facts = folder.stat()
        if not stat.S_ISDIR(facts.st_mode):
            raise ModuleRefused(f"{folder} is not a folder")
        _check(folder, facts)
        return sorted(path for path in folder.iterdir() if path.suffix == ".py")
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise ModuleRefused(f"the folder {folder} can't be read: {reason}") from error


def _check_file(path: Path) -> None:
    try:
        _check(path, path.stat())
    except OSError as error:
        raise ModuleRefused(f"{path} can't be read: {os.strerror(error.errno or 0)}") from error


def _check(path: Path, facts: os.stat_result) -> None:
    """Raise ModuleRefused where anybody but root and us may write to a file or a folder."""
    if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ModuleRefused(
            f"others may write to {path} and so choose what runs here; chmod go-w it"
        )
    if facts.st_uid not in (0, os.geteuid()):
        raise ModuleRefused(
            f"{path} belongs to the user {facts.st_uid}, who so chooses what runs here; have root"
            f" own it, or the user {os.geteuid()} as whom this runs"
        )


def _classes(path: Path) -> Iterator[ModuleClass]:
    # What is no plain file, such as a pipe, may never end.
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode) or facts.st_size > _LARGEST:
        raise ValueError(f"no file of at most {_LARGEST} bytes")
    for node in ast.parse(path.read_bytes(), filename=str(path)).body:
        if isinstance(node, ast.ClassDef):
            try:
                yield ModuleClass(node.name, path, _dependencies(node, path))
            except ModuleRefused as error:
                yield ModuleClass(node.name, path, (), str(error))


def _dependencies(node: ast.ClassDef, path: Path) -> tuple[str, ...]:
    """The class attribute `dependencies`, which must be a literal: nothing is run to read it."""
    for statement in node.body:
        given = _assigned(statement).get("dependencies")
        if given is None:
            continue
        try:
            value = ast.literal_eval(given)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            value = None
        names = (value,) if isinstance(value, str) else value
        if not isinstance(names, tuple | list | set | frozenset) or not all(
            isinstance(name, str) and name.isidentifier() for name in names
        ):
            raise ModuleRefused(
                f"dependencies of {node.name} in {path}, line {statement.lineno}, are no literal"
                ' names of classes such as ("FileReader",)'
            )
        return tuple(names)
    return ()


def _assigned(statement: ast.stmt) -> Mapping[str, ast.expr]:
    if isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets, value = [statement.target], statement.value
    elif isinstance(statement, ast.Assign):
        targets, value = list(statement.targets), statement.value  # type: ignore[arg-type]
    else:
        return {}
    return {target.id: value for target in targets if isinstance(target, ast.Name)}
