"""Reads an expression whose constants are cut out; None for what no table is made of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal, cast

from aggregator.view.tables import conditions
from aggregator.view.tables.constants import NUMBER, TEXT
from aggregator.view.tables.plan import Condition, Path, Plan, Position

_NAME = r"[^\W\d][\w.\-·]*"
#: The space of XPath, which is not Python's.
_SPACE = " \\t\\r\\n"
_TOKENS = re.compile(
    rf"[{_SPACE}]*(//|::|\.\.|!=|<=|>=|{_NAME}:{_NAME}|{_NAME}:\*|{_NAME}|[^{_SPACE}])[{_SPACE}]*"
)
_IS_NAME = re.compile(rf"{_NAME}(?::(?:{_NAME}|\*))?|\*")
_FUNCTIONS = frozenset({"count", "sum", "string", "number", "boolean", "not"})
#: Those that make of a path one value, and the kind of that.
_OF_A_PATH = {
    "count": "number",
    "number": "number",
    "string-length": "number",
    "string": "string",
    "normalize-space": "string",
}
#: Longer ones, and those that have more conditions, are left to the evaluator.
_LONGEST, _MOST_COLUMNS, _DEEPEST = 1000, 8, 8


class _Unfit(Exception):
    """It is none of the forms that tables answer, or no XPath at all."""


@lru_cache(maxsize=1024)
def plan_of(template: str, namespaces: tuple[tuple[str, str], ...]) -> Plan | None:
    """The plan of an expression without constants, with these namespaces for its prefixes."""
    if len(template) > _LONGEST:
        return None
    try:
        return _Parser(_TOKENS.findall(template), dict(namespaces)).plan()
    except _Unfit:
        return None


class _Parser:
    """Goes through tokens once; every method takes those of what it is named after."""

    def __init__(self, tokens: Sequence[str], namespaces: Mapping[str, str]) -> None:
        self._tokens = tokens
        self._namespaces = namespaces
        self._at = 0
        self._constants = 0
        self._depth = 0
        self._columns: list[Path] = []

    def plan(self) -> Plan:
        function = ""
        if self._peek() in _FUNCTIONS and self._peek(1) == "(":
            function = self._take()
            self._take("(")
        plan = self._nodes(function)
        if function:
            self._take(")")
        if self._at < len(self._tokens):
            raise _Unfit
        return plan

    def _nodes(self, function: str) -> Plan:
        grouped = self._peek() == "("
        if grouped:
            self._take()
        steps = self._start() + self._steps()
        tail: list[str] = []
        if steps and steps[-1].startswith(("@", "text()")):
            steps, tail = steps[:-2], steps[-2:]
            if self._peek() == "[":
                raise _Unfit
        condition, position = self._conditions()
        if grouped:
            self._take(")")
            if self._peek() == "[":
                if position is not None or tail:
                    raise _Unfit
                position = self._position(grouped=True)
        if self._peek() in ("/", "//"):
            if tail:
                raise _Unfit
            tail = self._steps()
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
            raise _Unfit
        column = None
        if tail:
            # "//x" after a row is its descendants, "/x" its children.
            column = self._column([".", *tail] if tail[0] == "//" else tail[1:])
        elif function in ("sum", "string", "number"):
            column = self._column(["."])
        is_text = bool(tail) and tail[-1].startswith(("@", "text()"))
        if tail and not is_text and not function:
            raise _Unfit
        return Plan(
            rows=self._path(steps),
            last=self._clark(names[-1]),
            is_shallow=steps[:-1] in (["//"], ["/", "*", "/"], ["/", "*", "//"]),
            columns=tuple(self._columns),
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
        first = self._peek()
        if first in ("/", "//"):
            return []
        if first == "." and self._peek(1) == "//":
            self._take()
            return ["/", "*"]
        # The context node is the root element.
        return ["/", "*", "/", self._step()]

    def _steps(self) -> list[str]:
        """Separators and steps in turn."""
        found: list[str] = []
        while self._peek() in ("/", "//"):
            found += (self._take(), self._step())
        return found

    def _step(self) -> str:
        token = self._take()
        if token == "@":
            return "@" + self._name(self._take())
        if token == "text" and self._peek() == "(":
            self._take()
            self._take(")")
            return "text()"
        if token == "." or self._peek() in ("(", "::"):
            raise _Unfit
        return self._name(token)

    def _name(self, token: str) -> str:
        if _IS_NAME.fullmatch(token) is None:
            raise _Unfit
        prefix = token.rpartition(":")[0]
        if prefix and (prefix == "xml" or prefix not in self._namespaces):
            raise _Unfit
        return token

    def _conditions(self) -> tuple[Condition | None, Position | None]:
        found: list[Condition] = []
        while self._peek() == "[":
            if (self._peek(1), self._peek(2)) in ((NUMBER, "]"), ("last", "(")):
                position = self._position(grouped=False)
                if self._peek() == "[":
                    raise _Unfit
                return (conditions.all_of(found) if found else None), position
            self._take("[")
            found.append(self._either())
            self._take("]")
        return (conditions.all_of(found) if found else None), None

    def _position(self, *, grouped: bool) -> Position:
        self._take("[")
        if self._peek() == NUMBER:
            constant: int | None = self._constant(NUMBER)
        else:
            constant = None
            for token in ("last", "(", ")"):
                self._take(token)
        self._take("]")
        return Position(constant, grouped)

    def _either(self) -> Condition:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _Unfit
        found = [self._both()]
        while self._peek() == "or":
            self._take()
            found.append(self._both())
        self._depth -= 1
        return conditions.any_of(found)

    def _both(self) -> Condition:
        found = [self._one()]
        while self._peek() == "and":
            self._take()
            found.append(self._one())
        return conditions.all_of(found)

    def _one(self) -> Condition:
        token, is_call = self._peek(), self._peek(1) == "("
        if token == "(":
            return self._within_brackets()
        if token == "not" and is_call:
            self._take()
            return conditions.denied(self._within_brackets())
        if token in ("contains", "starts-with") and is_call:
            self._take()
            self._take("(")
            column = self._column(self._relative())
            self._take(",")
            constant = self._constant(TEXT)
            self._take(")")
            return conditions.searched(column, token, constant)
        return self._comparison()

    def _within_brackets(self) -> Condition:
        self._take("(")
        found = self._either()
        self._take(")")
        return found

    def _comparison(self) -> Condition:
        if self._peek() in (TEXT, NUMBER):
            is_text = self._peek() == TEXT
            constant = self._constant(self._peek())
            name = conditions.MIRRORED[self._comparator()]
            column, kind = self._operand()
            return conditions.compared(column, kind, name, constant, is_text=is_text)
        column, kind = self._operand()
        if self._peek() not in conditions.COMPARISONS:
            if kind == "number":
                raise _Unfit
            return conditions.present(column)
        name = self._comparator()
        is_text = self._peek() == TEXT
        constant = self._constant(self._peek())
        return conditions.compared(column, kind, name, constant, is_text=is_text)

    def _comparator(self) -> str:
        token = self._take()
        if token not in conditions.COMPARISONS:
            raise _Unfit
        return token

    def _operand(self) -> tuple[int, str]:
        """A column, and the kind of its values."""
        function = self._peek()
        if function in _OF_A_PATH and self._peek(1) == "(":
            self._take()
            self._take("(")
            path = self._relative()
            self._take(")")
            return self._column(path, function=function), _OF_A_PATH[function]
        return self._column(self._relative()), "nodes"

    def _relative(self) -> list[str]:
        if self._peek() == ".":
            self._take()
            return [".", *self._steps()]
        return [self._step(), *self._steps()]

    def _constant(self, kind: str) -> int:
        if kind not in (TEXT, NUMBER):
            raise _Unfit
        self._take(kind)
        self._constants += 1
        return self._constants - 1

    def _column(self, steps: list[str], *, function: str = "") -> int:
        path = self._path(steps)
        if function:
            path = Path(f"{function}({path.text})", path.uris)
        if path not in self._columns:
            if len(self._columns) == _MOST_COLUMNS:
                raise _Unfit
            self._columns.append(path)
        return self._columns.index(path)

    def _path(self, steps: Sequence[str]) -> Path:
        uris: list[str] = []
        written = []
        for step in steps:
            prefix, _, local = step.removeprefix("@").rpartition(":")
            if not prefix:
                written.append(step)
                continue
            uri = self._namespaces[prefix]
            if uri not in uris:
                uris.append(uri)
            at = "@" if step.startswith("@") else ""
            written.append(f"{at}q{uris.index(uri)}:{local}")
        return Path("".join(written), tuple(uris))

    def _clark(self, name: str) -> str:
        prefix, _, local = name.rpartition(":")
        return f"{{{self._namespaces[prefix]}}}{local}" if prefix else local

    def _peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else ""

    def _take(self, wanted: str = "") -> str:
        token = self._peek()
        if not token or (wanted and token != wanted):
            raise _Unfit
        self._at += 1
        return token
