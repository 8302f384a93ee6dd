"""A first look at XPath 1.0 expressions: what they call and which prefixes they use."""

from __future__ import annotations

import re
from collections.abc import Mapping

from aggregator.errors import InvalidQuery

_NAME = r"[^\W\d][\w.\-·]*"
_TOKEN = re.compile(
    rf"\s+|(?P<literal>\"[^\"]*\"|'[^']*')|(?P<number>\d+(?:\.\d*)?|\.\d+)"
    rf"|(?:(?P<prefix>{_NAME}):(?!:))?(?P<name>{_NAME}|(?<=:)\*)"
    r"|(?P<mark>::|\.\.|//|!=|<=|>=|[()\[\]@,./|+\-=<>*$])"
)
#: XPath 1.0, section 4, and the node types of section 2.3.
_FUNCTION = re.compile(
    "last|position|count|id|local-name|namespace-uri|name"
    "|string|concat|starts-with|contains|substring-before|substring-after|substring"
    "|string-length|normalize-space|translate|boolean|not|true|false|lang"
    "|number|sum|floor|ceiling|round|comment|text|processing-instruction|node"
)
_OPENING = re.compile(r"\s*\(")
#: After these a name is a name; after anything else it is an operator (XPath 1.0, section 3.7).
_BEFORE_NAMES = re.compile(r"@|::|\(|\[|,|//?|\||\+|-|!?=|[<>]=?|\*|and|or|div|mod")


def check_expression(expression: str, namespaces: Mapping[str, str], *, longest: int) -> None:
    """Raise InvalidQuery for what an expression can't be: too long, a function or a prefix that
    nobody knows, a variable. Its grammar is left to the evaluator."""
    if len(expression) > longest:
        raise InvalidQuery(
            f"the expression has {len(expression)} characters; at most {longest} are evaluated"
        )
    if not expression.strip():
        raise InvalidQuery("the expression is empty; it must be XPath 1.0, such as /")
    before = "("
    end = 0
    while end < len(expression):
        token = _TOKEN.match(expression, end)
        if token is None:
            raise InvalidQuery(
                f"{expression[end : end + 20]!r} at character {end + 1} is no XPath 1.0"
            )
        end = token.end()
        if not token[0].strip():
            continue
        if token["name"]:
            is_call = _OPENING.match(expression, end) is not None
            before = _check_name(token, before, namespaces, is_call=is_call)
        else:
            before = _after_mark(token["mark"], before)


def _after_mark(mark: str | None, before: str) -> str:
    if mark == "$":
        raise InvalidQuery("the expression uses a variable; none is defined here")
    if mark is None or (mark == "*" and _BEFORE_NAMES.fullmatch(before)):
        return "value"
    return mark


def _check_name(
    token: re.Match[str], before: str, namespaces: Mapping[str, str], *, is_call: bool
) -> str:
    prefix, name = token["prefix"], token["name"]
    if not _BEFORE_NAMES.fullmatch(before):
        return name
    if is_call and (prefix or not _FUNCTION.fullmatch(name)):
        raise InvalidQuery(f"{token[0]}() is no function of XPath 1.0; only those are evaluated")
    if prefix and prefix != "xml" and prefix not in namespaces:
        raise InvalidQuery(
            f"the prefix {prefix!r} of {token[0][:100]!r} is not declared at the QueryExpression "
            "element; declare it there, or use local-name()"
        )
    return "value"
