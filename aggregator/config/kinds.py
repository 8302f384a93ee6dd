"""Kinds of values that a setting can have: how each is read, checked and shown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from aggregator.config.secrets import without_passwords

T = TypeVar("T")

_LONGEST_SHOWN = 60
_WORDS_FOR_TRUTH = {"true": True, "yes": True, "on": True, "1": True}
_WORDS_FOR_FALSEHOOD = {"false": False, "no": False, "off": False, "0": False}


class Fault(NamedTuple):
    """What is wrong with a value; ``below`` leads from the setting to the part at fault."""

    text: str
    below: tuple[str | int, ...] = ()


class Refused(Exception):
    """Raised by a kind for a value that is not of it; holds all faults found."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(fault.text for fault in faults))
        self.faults = faults


def written(value: object) -> str:
    """Return a value as TOML writes it; a table that is not empty is only called one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | Path):
        return json.dumps(str(value), ensure_ascii=False)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(written(item) for item in value) + "]"
    if isinstance(value, dict):
        return "a table" if value else "{}"
    return str(value)


def shown(value: object) -> str:
    """Return a value as TOML writes it, without passwords, cut to what fits into a message."""
    # First the passwords: what is cut might lack the @ that tells where one ends.
    text = without_passwords(written(value))
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."


def not_a(value: object, expected: str) -> Refused:
    """Return the refusal of a value, saying what was given and what was expected."""
    return Refused(Fault(f"{shown(value)} is not {expected}"))


def as_it_is(text: str) -> object:
    """Hand a text from the environment to ``Kind.read`` unchanged."""
    return text


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """One kind of value.

    ``read`` takes what TOML or an option gave and returns the value or raises `Refused`.
    ``from_text`` turns the text of an environment variable into what ``read`` takes; None where
    the kind can only be written in the file. ``show`` writes a value as the file would have it.
    ``rebase`` resolves a value that names a file against a folder.
    """

    name: str
    read: Callable[[object], T]
    show: Callable[[T], str] = written
    from_text: Callable[[str], object] | None = as_it_is
    rebase: Callable[[T, Path], T] | None = None
    unit: str = ""


def text(expected: str, *, pattern: str, name: str = "text") -> Kind[str]:
    """Return the kind of a text that matches ``pattern`` as a whole."""
    form = re.compile(pattern)

    def read(value: object) -> str:
        if not isinstance(value, str) or not form.fullmatch(value):
            raise not_a(value, expected)
        return value

    return Kind(name, read)


def whole_number(least: int, most: int) -> Kind[int]:
    """Return the kind of an integer within the two bounds, both allowed."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise not_a(value, f"a whole number from {least} to {most}")
        return value

    def from_text(given: str) -> object:
        return int(given) if re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", given) else given

    return Kind("whole number", read, from_text=from_text)


def truth() -> Kind[bool]:
    """Return the kind of a yes or no; the environment may write it in several words."""

    def read(value: object) -> bool:
        if not isinstance(value, bool):
            raise not_a(value, "true or false")
        return value

    def from_text(given: str) -> object:
        words = _WORDS_FOR_TRUTH | _WORDS_FOR_FALSEHOOD
        return words.get(given.strip().lower(), given)

    return Kind("true or false", read, from_text=from_text)


def choice(*words: str) -> Kind[str]:
    """Return the kind of one word out of a few."""
    expected = "one of " + ", ".join(words)

    def read(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise not_a(value, expected)
        return value

    return Kind(expected, read)


def listing(item: Kind[T], *, at_least: int = 0) -> Kind[tuple[T, ...]]:
    """Return the kind of a list of different items; the environment separates them by commas."""

    def read(value: object) -> tuple[T, ...]:
        if not isinstance(value, list | tuple) or len(value) < at_least:
            few = f" with at least {at_least} item" if at_least else ""
            raise not_a(value, f"a list of {item.name}{few}")
        return _all_of(item, value)

    def from_text(given: str) -> object:
        return [part.strip() for part in given.split(",") if part.strip()]

    def rebase(values: tuple[T, ...], folder: Path) -> tuple[T, ...]:
        assert item.rebase is not None
        return tuple(item.rebase(value, folder) for value in values)

    return Kind(f"list of {item.name}", read, from_text=from_text, rebase=item.rebase and rebase)


def _all_of(item: Kind[T], values: list[object] | tuple[object, ...]) -> tuple[T, ...]:
    faults: list[Fault] = []
    taken: list[T] = []
    for position, value in enumerate(values):
        try:
            read = item.read(value)
        except Refused as refused:
            faults += (Fault(fault.text, (position, *fault.below)) for fault in refused.faults)
            continue
        if read in taken:
            faults.append(Fault(f"{shown(value)} stands twice in the list", (position,)))
        taken.append(read)
    if faults:
        raise Refused(*faults)
    return tuple(taken)
