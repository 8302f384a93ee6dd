"""What the conditions of filters compare: values with a type, on their way into a statement."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import BigInteger, Boolean, ColumnElement, Double, LargeBinary, Text, literal
from sqlglot import exp

from aggregator.errors import FilterRefused
from aggregator.store.stream_columns import Kind, shown

#: What a parameter may be.
Plain = int | float | str | bool | bytes
Sort = Literal["number", "text", "boolean", "bytes"]

SORTS: dict[Kind, Sort] = {"integer": "number", "real": "number", "boolean": "boolean"}
SORTS |= dict.fromkeys(("text", "date", "time", "datetime"), "text")
SORTS["bytes"] = "bytes"
_INTEGERS = range(-(2**63), 2**63)

COMPARISONS: dict[type[exp.Expr], Callable[[Any, Any], ColumnElement[bool]]] = {
    exp.EQ: lambda a, b: a == b,
    exp.NEQ: lambda a, b: a != b,
    exp.GT: lambda a, b: a > b,
    exp.GTE: lambda a, b: a >= b,
    exp.LT: lambda a, b: a < b,
    exp.LTE: lambda a, b: a <= b,
}
#: Written into every pattern of LIKE, since SQLite has no character that escapes by itself.
ESCAPE = "/"


@dataclass(frozen=True, slots=True)
class Operand:
    """A part that has a value; `plain` is that value where it is known."""

    sort: Sort
    element: ColumnElement[Any]
    plain: Plain | None = None


def compared(
    kind: type[exp.Expr], left: Operand, right: Operand, node: exp.Expr
) -> ColumnElement[bool]:
    """One comparison; raises FilterRefused for values of different types."""
    if left.sort == "boolean" and right.plain in (0, 1) and right.sort == "number":
        right = constant(bool(right.plain))
    ordered = kind not in (exp.EQ, exp.NEQ)
    if left.sort != right.sort or (ordered and left.sort in ("boolean", "bytes")):
        raise FilterRefused(
            f"{shown(node.sql())} compares a {left.sort} with a {right.sort}"
            + (" by order" if ordered else "")
        )
    return COMPARISONS[kind](left.element, right.element)


def number(text: str) -> int | float:
    """The number that a text is; raises FilterRefused."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise FilterRefused(f"{shown(text)} is no number") from None


def constant(value: object) -> Operand:
    """A value as a parameter of the statement."""
    if isinstance(value, bool):
        return Operand("boolean", literal(value, Boolean()), value)
    if isinstance(value, int) and value in _INTEGERS:
        return Operand("number", literal(value, BigInteger()), value)
    if isinstance(value, float) and math.isfinite(value):
        return Operand("number", literal(value, Double()), value)
    if isinstance(value, bytes):
        return Operand("bytes", literal(value, LargeBinary()), value)
    if isinstance(value, str) and "\0" not in value and _is_text(value):
        return Operand("text", literal(value, Text()), value)
    raise FilterRefused(
        f"{shown(value)} can't be compared with; expected is a text, a number of 64 bits, a truth"
        " value or bytes"
    )


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def pattern(given: str, escape: str) -> str:
    """A pattern of LIKE in which `ESCAPE` escapes, of one in which `escape` does, or nothing."""
    written, characters = [], iter(given)
    for character in characters:
        if escape and character == escape:
            character = next(characters, "")  # noqa: PLW2901
            if not character:
                raise FilterRefused(f"the pattern {shown(given)} ends with its escape character")
            written.append(ESCAPE + character)
        else:
            written.append(ESCAPE * (character == ESCAPE) + character)
    return "".join(written)
