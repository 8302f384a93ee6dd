"""In which line of a TOML file a key stands, which the standard parser does not tell."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

KeyPath = tuple[str | int, ...]


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """Return the line, counted from 1, in which the statement begins that sets ``path``.

    Positions within lists are numbers from 0. What stands inside a list or an inline table has
    the line of the whole statement. A path that the text does not set has the line of the
    closest table around it that the text names; None where there is none.
    """
    lines = _lines(text)
    for length in range(len(path), 0, -1):
        if (line := lines.get(tuple(path[:length]))) is not None:
            return line
    return None


@lru_cache(maxsize=4)
def _lines(text: str) -> Mapping[KeyPath, int]:
    lines: dict[KeyPath, int] = {}
    tables: dict[KeyPath, int] = {}
    table: KeyPath = ()
    for line, is_header, parsed in _statements(text):
        if is_header:
            table = _header(parsed, tables)
            _note(lines, table, line)
        else:
            for path in _paths(parsed, table):
                _note(lines, path, line)
    return lines


def _statements(text: str) -> Iterator[tuple[int, bool, dict[str, Any]]]:
    """Yield line, kind and meaning of each statement.

    A statement ends where the lines since the last one parse by themselves: an unfinished list,
    table or text does not, so that the grammar of TOML is left to its parser.
    """
    pending: list[str] = []
    start = 1
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if not pending:
            start = number
        pending.append(line)
        try:
            parsed = tomllib.loads("\n".join(pending))
        except tomllib.TOMLDecodeError:
            continue
        yield start, pending[0].lstrip().startswith("["), parsed
        pending = []


def _header(parsed: dict[str, Any], tables: dict[KeyPath, int]) -> KeyPath:
    """Return the path of a table's header; one of a list of tables gets the next number."""
    path: KeyPath = ()
    inner: Any = parsed
    while isinstance(inner, dict) and inner:
        ((key, inner),) = inner.items()
        path = (*path, key)
    if isinstance(inner, list):
        number = tables.get(path, 0)
        tables[path] = number + 1
        return (*path, number)
    return path


def _paths(value: Any, path: KeyPath) -> Iterator[KeyPath]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from _paths(inner, (*path, key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _paths(inner, (*path, position))


def _note(lines: dict[KeyPath, int], path: KeyPath, line: int) -> None:
    """Note a line for a path and for all tables around it that have none yet."""
    for length in range(1, len(path) + 1):
        lines.setdefault(path[:length], line)
