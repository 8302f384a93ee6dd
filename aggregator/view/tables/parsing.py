"""Reads an expression whose constants are cut out; None for what no table is made of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, cast

from lxml import etree

from aggregator.view.tables import conditions
from aggregator.view.tables.constants import NUMBER, TEXT
from aggregator.view.tables.paths import Paths, Unfit
from aggregator.view.tables.plan import Condition, Plan, Position

_FUNCTIONS = frozenset({"count", "sum", "string", "number", "boolean", "not"})
#: Those that make of a path one value, and the kind of that.
_OF_A_PATH = {
    "count": "number",
    "number": "number",
    "string-length": "number",
    "string": "string",
    "normalize-space": "string",
}
#: Longer ones, deeper ones and such with more conditions are left to the evaluator.
_LONGEST, _DEEPEST, _MOST_CONDITIONS = 4000, 8, 16


def plan_of(template: str, namespaces: Mapping[str, str]) -> Plan | None:
    """The plan of an expression without constants, with these namespaces for its prefixes."""
    used = tuple((prefix, uri) for prefix, uri in namespaces.items() if f"{prefix}:" in template)
    # Plans are kept, under names that anybody may choose.
    if len(template) + sum(len(prefix) + len(uri) for prefix, uri in used) > _LONGEST:
        return None
    return _plan_of(template, used)


@lru_cache(maxsize=1024)
def _plan_of(template: str, namespaces: tuple[tuple[str, str], ...]) -> Plan | None:
    try:
        plan = _Parser(Paths(template, dict(namespaces))).plan()
        # What Python takes for a letter the library may not.
        for path in (plan.rows, *plan.columns):
            path.compiled()
    except (Unfit, etree.XPathError):
        return None
    return plan


class _Parser:
    """Goes through tokens once; every method takes those of what it is named after."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._constants = 0
        self._depth = 0
        self._conditions_read = 0

    def plan(self) -> Plan:
        function = ""
        if self._paths.peek() in _FUNCTIONS and self._paths.peek(1) == "(":
            function = self._paths.take()
            self._paths.take("(")
        plan = self._nodes(function)
        if function:
            self._paths.take(")")
        if not self._paths.is_at_end:
            raise Unfit
        return plan

    def _nodes(self, function: str) -> Plan:
        grouped = self._paths.peek() == "("
        if grouped:
            self._paths.take()
        steps = self._start() + self._paths.steps()
        tail: list[str] = []
        if steps and steps[-1].startswith(("@", "text()")):
            steps, tail = steps[:-2], steps[-2:]
            if self._paths.peek() == "[":
                raise Unfit
        condition, position = self._conditions()
        if grouped:
            self._paths.take(")")
            if self._paths.peek() == "[":
                if position is not None or tail:
                    raise Unfit
                position = self._position(grouped=True)
        if self._paths.peek() in ("/", "//"):
            if tail:
                raise Unfit
            tail = self._paths.steps()
        return self._made(steps, condition, position, tail, function)

    def _made(
        self,
        steps: list[str],
        condition: Condition | None,
        position: Position | None,
        tail: list[str],
        function: str,
    ) -> Plan:
        names = steps[1::2]
        if not names or any(name == "." or name.startswith(("@", "text()")) for name in names):
            raise Unfit
        column = None
        if tail:
            # "//x" after a row is its descendants, "/x" its children.
            column = self._paths.column([".", *tail] if tail[0] == "//" else tail[1:])
        elif function in ("sum", "string", "number"):
            column = self._paths.column(["."])
        is_text = bool(tail) and tail[-1].startswith(("@", "text()"))
        if tail and not is_text and not function:
            raise Unfit
        return Plan(
            rows=self._paths.path(steps),
            last=self._paths.clark(names[-1]),
            is_shallow=steps[:-1] in (["//"], ["/", "*", "/"], ["/", "*", "//"]),
            columns=tuple(self._paths.columns),
            condition=condition,
            position=position,
            tail=column,
            tail_is_text=is_text,
            function=cast(
                'Literal["count", "sum", "string", "number", "boolean", "not", ""]', function
            ),
        )

    def _start(self) -> list[str]:
        """What leads to the first step from the document's root, where it is not said."""
        first = self._paths.peek()
        if first in ("/", "//"):
            return []
        if first == "." and self._paths.peek(1) == "//":
            self._paths.take()
            return ["/", "*"]
        # The context node is the root element.
        return ["/", "*", "/", self._paths.step()]

    def _conditions(self) -> tuple[Condition | None, Position | None]:
        found: list[Condition] = []
        while self._paths.peek() == "[":
            if (self._paths.peek(1), self._paths.peek(2)) in ((NUMBER, "]"), ("last", "(")):
                position = self._position(grouped=False)
                if self._paths.peek() == "[":
                    raise Unfit
                return (conditions.all_of(found) if found else None), position
            self._paths.take("[")
            found.append(self._either())
            self._paths.take("]")
        return (conditions.all_of(found) if found else None), None

    def _position(self, *, grouped: bool) -> Position:
        self._paths.take("[")
        if self._paths.peek() == NUMBER:
            constant: int | None = self._constant(NUMBER)
        else:
            constant = None
            for token in ("last", "(", ")"):
                self._paths.take(token)
        self._paths.take("]")
        return Position(constant, grouped)

    def _either(self) -> Condition:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Unfit
        found = [self._both()]
        while self._paths.peek() == "or":
            self._paths.take()
            found.append(self._both())
        self._depth -= 1
        return conditions.any_of(found)

    def _both(self) -> Condition:
        found = [self._one()]
        while self._paths.peek() == "and":
            self._paths.take()
            found.append(self._one())
        return conditions.all_of(found)

    def _one(self) -> Condition:
        self._conditions_read += 1
        if self._conditions_read > _MOST_CONDITIONS:
            raise Unfit
        token, is_call = self._paths.peek(), self._paths.peek(1) == "("
        if token == "(":
            return self._within_brackets()
        if token == "not" and is_call:
            self._paths.take()
            return conditions.denied(self._within_brackets())
        if token in ("contains", "starts-with") and is_call:
            self._paths.take()
            self._paths.take("(")
            column = self._paths.column(self._paths.relative())
            self._paths.take(",")
            constant = self._constant(TEXT)
            self._paths.take(")")
            return conditions.searched(column, token, constant)
        return self._comparison()

    def _within_brackets(self) -> Condition:
        self._paths.take("(")
        found = self._either()
        self._paths.take(")")
        return found

    def _comparison(self) -> Condition:
        if self._paths.peek() in (TEXT, NUMBER):
            is_text = self._paths.peek() == TEXT
            constant = self._constant(self._paths.peek())
            name = conditions.MIRRORED[self._comparator()]
            column, kind = self._operand()
            return conditions.compared(column, kind, name, constant, is_text=is_text)
        column, kind = self._operand()
        if self._paths.peek() not in conditions.COMPARISONS:
            if kind == "number":
                raise Unfit
            return conditions.present(column)
        name = self._comparator()
        is_text = self._paths.peek() == TEXT
        constant = self._constant(self._paths.peek())
        return conditions.compared(column, kind, name, constant, is_text=is_text)

    def _comparator(self) -> str:
        token = self._paths.take()
        if token not in conditions.COMPARISONS:
            raise Unfit
        return token

    def _operand(self) -> tuple[int, str]:
        """A column, and the kind of its values."""
        function = self._paths.peek()
        if function in _OF_A_PATH and self._paths.peek(1) == "(":
            self._paths.take()
            self._paths.take("(")
            path = self._paths.relative()
            self._paths.take(")")
            return self._paths.column(path, function=function), _OF_A_PATH[function]
        return self._paths.column(self._paths.relative()), "nodes"

    def _constant(self, kind: str) -> int:
        if kind not in (TEXT, NUMBER):
            raise Unfit
        self._paths.take(kind)
        self._constants += 1
        return self._constants - 1
