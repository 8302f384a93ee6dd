"""The first look at expressions: prefixes, functions, variables, length."""

from __future__ import annotations

import time

import pytest

from aggregator.errors import InvalidQuery
from aggregator.view.whole import is_whole_document
from aggregator.wire.xpath import check_expression


@pytest.mark.parametrize(
    "expression",
    [
        "/",
        "//p:a[p:b='q:c']/@p:d",
        "child::p:* | descendant::node()",
        "p:and and p:or or (p:div div p:mod mod 2)",
        "* and (1)",
        "* * (2)",
        "3 mod(2)",
        ". or (..)",
        "a[1]and(b)",
        "processing-instruction('x')",
        'substring-before(string(.), "it\'s $x and f:g()")',
        "count(//*[local-name() = 'Entry']) < 1",
        "xml:lang",
        "é:ö",
        "1.5 + .5 - 2.",
        "self::text()",
    ],
)
def test_xpath_passes(expression: str) -> None:
    check_expression(expression, {"p": "urn:p", "é": "urn:e"}, longest=1000)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("//x:a", "prefix 'x' of 'x:a' is not declared"),
        ("x:*", "prefix 'x'"),
        ("1 + x:b", "prefix 'x'"),
        ("document('f')", r"document\(\) is no function of XPath 1.0"),
        ("p:script(1)", r"p:script\(\) is no function"),
        ("* and current()", r"current\(\)"),
        ("matches (., 'x')", r"matches\(\)"),
        ("//a[$x]", "variable"),
        ("a # b", "'# b' at character 3"),
        ("'open", "at character 1"),
        (" \n", "empty"),
        ("x" * 11, "11 characters; at most 10"),
    ],
)
def test_what_it_can_not_be_is_named(expression: str, reason: str) -> None:
    longest = 10 if expression.startswith("xx") else 1000
    with pytest.raises(InvalidQuery, match=reason):
        check_expression(expression, {"p": "urn:p"}, longest=longest)


def test_a_long_expression_takes_time_for_its_length_alone() -> None:
    expression = "/".join(["name"] * 300_000)
    began = time.monotonic()
    check_expression(expression, {}, longest=len(expression))
    assert time.monotonic() - began < 10


def test_whole_documents() -> None:
    assert is_whole_document(" / ")
    assert is_whole_document("/*")
    assert not is_whole_document("//*")
    assert not is_whole_document("/a")
