"""What the answer to an expression is made of, whatever its constants are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from lxml import etree

#: The values of a column in a row: those of the nodes of a path, or one of a function.
Value = tuple[str, ...] | str | float
Constant = str | float
#: The values of a row's columns.
Row = tuple[Value, ...]
Test = Callable[[Row], bool]


@dataclass(frozen=True, slots=True)
class Path:
    """XPath without constants; the prefixes in `text` are ``q0``, ``q1``... for `uris`."""

    text: str
    uris: tuple[str, ...] = ()

    def compiled(self) -> etree.XPath:
        """Ready to be evaluated."""
        known = {f"q{number}": uri for number, uri in enumerate(self.uris)}
        return etree.XPath(self.text, namespaces=known, smart_strings=False)


@dataclass(frozen=True, slots=True)
class Key:
    """What leads to all rows that can meet a condition: their column holds a value that `matches`.

    `constant` is the place of what it is compared with; ``is_equality`` tells that only that very
    value matches. One that `needs_text` leads nowhere where the constant is empty.
    """

    column: int
    constant: int
    is_number: bool
    matches: Callable[[Any, Any], bool]
    is_equality: bool = False
    needs_text: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """What a row must meet, and keys that lead to such rows.

    `with_constants` gives what tests a row by the values of its columns. Where the condition
    `is_key`, every row that holds a matching value meets it.
    """

    with_constants: Callable[[list[Constant]], Test]
    keys: tuple[Key, ...] = ()
    is_key: bool = False
    #: How many comparisons it is made of.
    size: int = 1


@dataclass(frozen=True, slots=True)
class Position:
    """Which of the rows is meant: the one whose number is a constant, or the last.

    ``grouped`` tells that all rows are counted, not those beside each other.
    """

    constant: int | None
    grouped: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """A path to rows, conditions on them, what of them is asked for.

    `last` is the Clark name of the path's last step, `is_shallow` whether the path can lead to the
    document's Entry elements. `tail` is the column that stands for the nodes of a row, None for the
    row itself; ``tail_is_text`` where these are attributes or text. `function` is around it all.
    """

    rows: Path
    last: str
    is_shallow: bool
    columns: tuple[Path, ...]
    condition: Condition | None
    position: Position | None
    tail: int | None
    tail_is_text: bool
    function: Literal["count", "sum", "string", "number", "boolean", "not", ""]
