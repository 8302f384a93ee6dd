"""The parts of a filter: each is on a list, has a type, and is written in terms of its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Text,
    and_,
    func,
    literal,
    not_,
    or_,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlglot import exp

from aggregator.errors import FilterRefused
from aggregator.store.stream_columns import ROW, TIME, shown
from aggregator.store.stream_operands import (
    COMPARISONS,
    ESCAPE,
    SORTS,
    Operand,
    Plain,
    Sort,
    compared,
    constant,
    number,
    pattern,
)
from aggregator.store.stream_storages import Storage

#: Functions of one argument: what they take and what they give.
_FUNCTIONS: dict[type[exp.Expr], tuple[str, tuple[Sort, ...], Sort]] = {
    exp.Lower: ("lower", ("text",), "text"),
    exp.Upper: ("upper", ("text",), "text"),
    exp.Trim: ("trim", ("text",), "text"),
    exp.Length: ("length", ("text", "bytes"), "number"),
}


class _Length(FunctionElement[int]):
    """The characters of a text, the bytes of bytes."""

    name = "length"
    type = BigInteger()
    inherit_cache = True


@compiles(_Length)
def _length(element: _Length, compiler: SQLCompiler, **options: Any) -> str:
    name = "char_length" if compiler.dialect.name == "mariadb" else "length"
    return f"{name}({compiler.process(element.clauses, **options)})"


#: Parts in parts, such as NOT in NOT; parentheses are counted by themselves.
DEEPEST_PART = 64


class Reader:
    """Reads the conditions of one filter; raises FilterRefused for whatever is not on the lists."""

    def __init__(self, storage: Storage, parameters: Mapping[str, Plain] | Sequence[Plain]) -> None:
        self._columns = {TIME: Operand("number", storage.table.c[TIME])}
        for column in storage.columns:
            value = Operand(SORTS[column.kind], storage.table.c[column.name])
            self._columns[column.name.lower()] = value
        self._storage = storage
        self._named = dict(parameters) if isinstance(parameters, Mapping) else {}
        self._given = [] if isinstance(parameters, Mapping) else list(parameters)
        self._unused = set(self._named)
        self._depth = 0

    def check_all_used(self) -> None:
        """Refuse parameters that the filter has no place for."""
        if self._unused or self._given:
            left = ", ".join(sorted(map(str, self._unused))) or f"{len(self._given)} of them"
            raise FilterRefused(f"there are parameters that the filter has no place for: {left}")

    def condition(self, node: exp.Expr) -> ColumnElement[bool]:
        """The condition that a part is."""
        value = self._value(node)
        if value.sort != "boolean":
            raise FilterRefused(
                f"{shown(node.sql())} is a {value.sort} and no condition; compare it with something"
            )
        return value.element

    def _value(self, node: exp.Expr) -> Operand:
        # A chain such as a = b = c is nested, too, and is compiled by calls within calls.
        self._depth += type(node) is not exp.Paren
        if self._depth > DEEPEST_PART:
            raise FilterRefused(f"the filter has parts in parts deeper than {DEEPEST_PART}")
        value = self._read(node)
        self._depth -= type(node) is not exp.Paren
        return value

    def _read(self, node: exp.Expr) -> Operand:
        kind = type(node)
        if kind in (exp.And, exp.Or):
            _only(node, "this", "expression")
            joined = [self.condition(one) for one in _flat(node)]
            return Operand("boolean", and_(*joined) if kind is exp.And else or_(*joined))
        if kind in COMPARISONS:
            _only(node, "this", "expression")
            return self._compared(node)
        if kind in _FUNCTIONS:
            return self._called(node)
        read = getattr(self, f"_{kind.__name__.lower()}", None) if kind in _READ else None
        if read is None:
            raise FilterRefused(
                f"{shown(node.sql())} can't be part of a filter; columns, texts in '', numbers,"
                " comparisons, AND, OR, NOT, IN, BETWEEN, LIKE, IS NULL, lower, upper, trim, length"
                " and coalesce can"
            )
        found: Operand = read(node)
        return found

    def _paren(self, node: exp.Expr) -> Operand:
        _only(node, "this")
        return self._value(node.this)

    def _not(self, node: exp.Expr) -> Operand:
        _only(node, "this")
        return Operand("boolean", not_(self.condition(node.this)))

    def _column(self, node: exp.Expr) -> Operand:
        _only(node, "this", "table")
        table = node.text("table")
        name = node.text("this")
        if (table and table.lower() != self._storage.key.lower()) or name.lower() == ROW:
            raise FilterRefused(f"{shown(node.sql())} is no column of {self._storage.key!r}")
        found = self._columns.get(name.lower())
        if found is None:
            hint = f"; a text stands in '', as '{name}'" if node.this.args.get("quoted") else ""
            raise FilterRefused(
                f"{self._storage.key!r} has no column {shown(name)}, but"
                f" {', '.join(self._columns)}{hint}"
            )
        return found

    def _literal(self, node: exp.Expr) -> Operand:
        _only(node, "this", "is_string")
        if node.args.get("is_string"):
            return constant(str(node.this))
        return constant(number(str(node.this)))

    def _boolean(self, node: exp.Expr) -> Operand:
        _only(node, "this")
        return constant(bool(node.this))

    def _neg(self, node: exp.Expr) -> Operand:
        _only(node, "this")
        if type(node.this) is not exp.Literal or node.this.args.get("is_string"):
            raise FilterRefused(f"{shown(node.sql())}: - stands before a number only")
        return constant(number(f"-{node.this.this}"))

    def _placeholder(self, node: exp.Expr) -> Operand:
        _only(node, "this")
        name = node.text("this")
        if name:
            if name not in self._named:
                raise FilterRefused(f"there is no value for the parameter :{name[:100]}")
            self._unused.discard(name)
            return constant(self._named[name])
        if not self._given:
            raise FilterRefused("there are more ? in the filter than parameters")
        return constant(self._given.pop(0))

    def _compared(self, node: exp.Expr) -> Operand:
        left, right = self._value(node.this), self._value(node.expression)
        return Operand("boolean", compared(type(node), left, right, node))

    def _is(self, node: exp.Expr) -> Operand:
        _only(node, "this", "expression")
        value = self._value(node.this)
        if type(node.expression) is exp.Null:
            return Operand("boolean", value.element.is_(None))
        if type(node.expression) is exp.Boolean and value.sort == "boolean":
            return Operand("boolean", value.element.is_(bool(node.expression.this)))
        raise FilterRefused(f"{shown(node.sql())}: IS is followed by NULL, or [NOT] NULL only")

    def _in(self, node: exp.Expr) -> Operand:
        _only(node, "this", "expressions", "negate")
        value = self._value(node.this)
        others = [self._value(one) for one in node.expressions]
        if not others:
            raise FilterRefused(f"{shown(node.sql())}: IN is followed by a list of values")
        found = or_(*(compared(exp.EQ, value, one, node) for one in others))
        return _negated(node, found)

    def _between(self, node: exp.Expr) -> Operand:
        _only(node, "this", "low", "high", "negate")
        value = self._value(node.this)
        low, high = self._value(node.args["low"]), self._value(node.args["high"])
        found = and_(compared(exp.GTE, value, low, node), compared(exp.LTE, value, high, node))
        return _negated(node, found)

    def _escape(self, node: exp.Expr) -> Operand:
        _only(node, "this", "expression")
        if type(node.this) is not exp.Like or type(node.expression) is not exp.Literal:
            raise FilterRefused(f"{shown(node.sql())}: ESCAPE stands after LIKE, with a character")
        return self._liked(node.this, str(node.expression.this))

    def _like(self, node: exp.Expr) -> Operand:
        return self._liked(node, "")

    def _liked(self, node: exp.Expr, escape: str) -> Operand:
        _only(node, "this", "expression", "negate")
        value, other = self._value(node.this), self._value(node.expression)
        if value.sort != "text" or not isinstance(other.plain, str) or len(escape) > 1:
            raise FilterRefused(f"{shown(node.sql())}: LIKE compares a text with a pattern in ''")
        written = literal(pattern(other.plain, escape), Text())
        return _negated(node, value.element.ilike(written, escape=ESCAPE))

    def _coalesce(self, node: exp.Expr) -> Operand:
        _only(node, "this", "expressions")
        values = [self._value(one) for one in (node.this, *node.expressions)]
        if len({value.sort for value in values}) != 1 or len(values) == 1:
            raise FilterRefused(
                f"{shown(node.sql())}: coalesce takes values of one type, two or more"
            )
        elements = [value.element for value in values]
        return Operand(values[0].sort, func.coalesce(*elements, type_=elements[0].type))

    def _called(self, node: exp.Expr) -> Operand:
        _only(node, "this")
        name, takes, gives = _FUNCTIONS[type(node)]
        value = self._value(node.this)
        if value.sort not in takes:
            raise FilterRefused(f"{shown(node.sql())}: {name} takes a {' or '.join(takes)}")
        if name == "length":
            return Operand(gives, _Length(value.element))
        kind = BigInteger() if gives == "number" else Text()
        return Operand(gives, getattr(func, name)(value.element, type_=kind))


_READ = frozenset(
    {exp.Paren, exp.Not, exp.Column, exp.Literal, exp.Boolean, exp.Neg, exp.Placeholder, exp.Is}
    | {exp.In, exp.Between, exp.Escape, exp.Like, exp.Coalesce}
)


def _only(node: exp.Expr, *names: str) -> None:
    """Refuse a part that has more to it than what is read of it: its meaning would be another."""
    more = [name for name, value in node.args.items() if value and name not in names]
    if more:
        raise FilterRefused(f"{shown(node.sql())} says more ({', '.join(more)}) than a filter may")


def _flat(node: exp.Expr) -> list[exp.Expr]:
    """What AND or OR joins, be it a long chain."""
    kind, found, left = type(node), [], [node]
    while left:
        one = left.pop()
        if type(one) is kind:
            left += [one.expression, one.this]
        else:
            found.append(one)
    return found


def _negated(node: exp.Expr, condition: ColumnElement[bool]) -> Operand:
    return Operand("boolean", not_(condition) if node.args.get("negate") else condition)
