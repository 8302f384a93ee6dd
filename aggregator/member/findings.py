"""What is wrong with a member's configuration, gathered over all of its files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

from aggregator.config.errors import ConfigurationError, Problem
from aggregator.config.kinds import Kind, Refused
from aggregator.config.lines import line_of
from aggregator.config.names import unknown

T = TypeVar("T")

Key = tuple[str | int, ...]


class Findings:
    """The problems of one file; ``text`` is what its lines are counted in."""

    def __init__(self, file: Path, text: str = "") -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.text = text

    def add(self, text: str, *, key: Key = (), line: int | None = None) -> None:
        """Note a problem at `key` of a TOML file, or in `line`."""
        if key and line is None:
            line = line_of(self.text, key)
        name = ".".join(part if isinstance(part, str) else str(part + 1) for part in key)
        self.problems.append(Problem(text, source=str(self.file), line=line, key=name))

    def read(self, kind: Kind[T], value: object, *, key: Key, default: T) -> T:
        """The value as its kind reads it; the default where that is refused, which is noted."""
        try:
            return kind.read(value)
        except Refused as refused:
            for fault in refused.faults:
                self.add(fault.text, key=(*key, *fault.below))
            return default

    def table(self, value: object, known: Collection[str], *, key: Key) -> dict[str, Any]:
        """The table's known keys; anything else is noted with the closest name that exists."""
        if not isinstance(value, dict):
            self.add("must be a table", key=key)
            return {}
        for name in value:
            if name not in known:
                self.add(unknown("key", name, known), key=(*key, name))
        return {name: content for name, content in value.items() if name in known}


def raise_all(findings: Sequence[Findings]) -> None:
    """Raise ConfigurationError with the problems of all files, if there are any."""
    problems = tuple(problem for found in findings for problem in found.problems)
    if problems:
        raise ConfigurationError(problems)
