"""An expression without its constants, and these by themselves."""

from __future__ import annotations

import re
from functools import lru_cache

from lxml import etree

from aggregator.view.tables.plan import Constant
from aggregator.wire.parse import Element

#: What stands for a text and for a number; XML can hold neither, so no expression does.
TEXT, NUMBER = "\x01", "\x02"
_CONSTANT = re.compile(r"\"([^\"]*)\"|'([^']*)'|([^\W\d][\w.\-·]*)|([0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
#: Digits that a floating point number holds exactly, whoever reads them.
_EXACT = re.compile(r"[0-9]{1,15}")
#: Texts that are kept, with what number they are.
_SHORT = 32
_read = etree.XPath("number($text)")


def cut(expression: str) -> tuple[str, list[Constant]]:
    """The expression with marks in place of its constants, and the constants in their order."""
    found: list[Constant] = []

    def mark(match: re.Match[str]) -> str:
        kind = match.lastindex
        if kind == 3:  # a name, which may hold digits
            return match[0]
        if kind == 4:
            found.append(_literal(match[0]))
            return NUMBER
        found.append(match[kind or 0])
        return TEXT

    return _CONSTANT.sub(mark, expression), found


def number(text: str) -> float:
    """The number() of a text (XPath 1.0, section 4.4), as the evaluator's library reads it."""
    return _known(text) if len(text) <= _SHORT else _converted(text)


@lru_cache(maxsize=65536)
def _known(text: str) -> float:
    return float(int(text)) if _EXACT.fullmatch(text) else _converted(text)


def _converted(text: str) -> float:
    found = _read(_nothing(), text=text)
    assert isinstance(found, float)
    return found


def _literal(text: str) -> float:
    """A number as it stands in an expression; the library reads that in another way."""
    if _EXACT.fullmatch(text):
        return float(int(text))
    found = etree.XPath(text)(_nothing())
    assert isinstance(found, float)
    return found


@lru_cache(maxsize=1)
def _nothing() -> Element:
    return etree.Element("nothing")
