"""Comparisons as XPath 1.0 makes them (section 3.4), between a column and a constant."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from aggregator.view.tables.constants import number
from aggregator.view.tables.plan import Condition, Constant, Key, Row, Test, Value

#: By name, what compares two values of the same kind.
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
#: The same comparison with its sides exchanged.
MIRRORED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def compared(column: int, kind: str, name: str, constant: int, *, is_text: bool) -> Condition:
    """`column`, of a `kind`, against the constant of a place; `is_text` tells the constant's."""
    compare = COMPARISONS[name]
    is_number = not (is_text and name in ("=", "!=") and kind != "number")
    key = Key(column, constant, is_number, compare, is_equality=name == "=")

    def with_constants(constants: list[Constant]) -> Test:
        wanted = constants[constant]
        if is_number:
            return _by_number(column, compare, as_number(wanted))
        return _by_text(column, compare, wanted)

    return Condition(with_constants, (key,), is_key=True)


# These run for every row of a table. A generator would cost more than the comparison.


def _by_text(column: int, compare: Callable[[Any, Any], bool], wanted: Constant) -> Test:
    def test(row: Row) -> bool:
        for value in values_of(row[column]):  # noqa: SIM110
            if compare(value, wanted):
                return True
        return False

    return test


def _by_number(column: int, compare: Callable[[Any, Any], bool], wanted: float) -> Test:
    def test(row: Row) -> bool:
        for value in values_of(row[column]):  # noqa: SIM110
            if compare(as_number(value), wanted):
                return True
        return False

    return test


def searched(column: int, function: str, constant: int) -> Condition:
    """``contains`` or ``starts-with`` of a column's string and a text."""

    def with_constants(constants: list[Constant]) -> Test:
        wanted = str(constants[constant])
        if function == "starts-with":
            return lambda row: first_of(row[column]).startswith(wanted)
        return lambda row: wanted in first_of(row[column])

    matches = str.startswith if function == "starts-with" else str.__contains__
    return Condition(with_constants, (Key(column, constant, False, matches, needs_text=True),))


def present(column: int) -> Condition:
    """The boolean() of nodes or a string."""
    return Condition(lambda _: lambda row: bool(row[column]))


def denied(condition: Condition) -> Condition:
    """not()."""

    def with_constants(constants: list[Constant]) -> Test:
        test = condition.with_constants(constants)
        return lambda row: not test(row)

    return Condition(with_constants, size=condition.size)


def any_of(conditions: Sequence[Condition]) -> Condition:
    """``or``."""
    if len(conditions) == 1:
        return conditions[0]

    def with_constants(constants: list[Constant]) -> Test:
        tests = [condition.with_constants(constants) for condition in conditions]
        return lambda row: any(test(row) for test in tests)

    return Condition(with_constants, size=sum(condition.size for condition in conditions))


def all_of(conditions: Sequence[Condition]) -> Condition:
    """``and``; each key of each leads to all rows that meet them all."""
    if len(conditions) == 1:
        return conditions[0]

    def with_constants(constants: list[Constant]) -> Test:
        tests = [condition.with_constants(constants) for condition in conditions]
        return lambda row: all(test(row) for test in tests)

    keys = tuple(chain.from_iterable(condition.keys for condition in conditions))
    return Condition(with_constants, keys, size=sum(condition.size for condition in conditions))


def values_of(value: Value) -> Sequence[str | float]:
    """The values that are compared, one by one."""
    return value if value.__class__ is tuple else (value,)  # type: ignore[return-value]


def first_of(value: Value) -> str:
    """The string() of a column of nodes or of a string."""
    if isinstance(value, tuple):
        return value[0] if value else ""
    return str(value)


def as_number(value: str | float) -> float:
    """The number() of a value."""
    return number(value) if value.__class__ is str else value  # type: ignore[return-value]
