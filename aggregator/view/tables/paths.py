"""Paths without conditions, out of the tokens of an expression."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from aggregator.view.tables.plan import Path

_NAME = r"[^\W\d][\w.\-·]*"
#: The space of XPath, which is not Python's.
_SPACE = " \\t\\r\\n"
_TOKENS = re.compile(
    rf"[{_SPACE}]*(//|::|\.\.|!=|<=|>=|{_NAME}:{_NAME}|{_NAME}:\*|{_NAME}|[^{_SPACE}])[{_SPACE}]*"
)
_IS_NAME = re.compile(rf"{_NAME}(?::(?:{_NAME}|\*))?|\*")
#: Columns of a table; what needs more is left to the evaluator.
_MOST_COLUMNS = 8


class Unfit(Exception):
    """It is none of the forms that tables answer, or no XPath at all."""


class Paths:
    """Goes through the tokens of an expression once, and keeps what paths become columns."""

    def __init__(self, expression: str, namespaces: Mapping[str, str]) -> None:
        self._tokens: Sequence[str] = _TOKENS.findall(expression)
        self._namespaces = namespaces
        self._at = 0
        self.columns: list[Path] = []

    @property
    def is_at_end(self) -> bool:
        """Whether all tokens are taken."""
        return self._at == len(self._tokens)

    def peek(self, ahead: int = 0) -> str:
        """The next token, or one that comes later; empty where there is none."""
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else ""

    def take(self, wanted: str = "") -> str:
        """Go past the next token, which must be the one that is wanted."""
        token = self.peek()
        if not token or (wanted and token != wanted):
            raise Unfit
        self._at += 1
        return token

    def steps(self) -> list[str]:
        """Separators and steps in turn."""
        found: list[str] = []
        while self.peek() in ("/", "//"):
            found += (self.take(), self.step())
        return found

    def step(self) -> str:
        """A test of an element or attribute, or ``text()``."""
        token = self.take()
        if token == "@":
            return "@" + self._name(self.take())
        if token == "text" and self.peek() == "(":
            self.take()
            self.take(")")
            return "text()"
        if token == "." or self.peek() in ("(", "::"):
            raise Unfit
        return self._name(token)

    def relative(self) -> list[str]:
        """The steps of a path that begins at a row."""
        if self.peek() == ".":
            self.take()
            return [".", *self.steps()]
        return [self.step(), *self.steps()]

    def column(self, steps: list[str], *, function: str = "") -> int:
        """The place of the column that holds what a path leads to, or a function of that."""
        path = self.path(steps)
        if function:
            path = Path(f"{function}({path.text})", path.uris)
        if path not in self.columns:
            if len(self.columns) == _MOST_COLUMNS:
                raise Unfit
            self.columns.append(path)
        return self.columns.index(path)

    def path(self, steps: Sequence[str]) -> Path:
        """Steps, with the prefixes that tables use."""
        if steps.count("//") > 1:
            # The library goes through descendants of descendants again and again.
            raise Unfit
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

    def clark(self, name: str) -> str:
        """The Clark name of a name with a prefix."""
        prefix, _, local = name.rpartition(":")
        return f"{{{self._namespaces[prefix]}}}{local}" if prefix else local

    def _name(self, token: str) -> str:
        if _IS_NAME.fullmatch(token) is None:
            raise Unfit
        prefix = token.rpartition(":")[0]
        if prefix and (prefix == "xml" or prefix not in self._namespaces):
            raise Unfit
        return token
