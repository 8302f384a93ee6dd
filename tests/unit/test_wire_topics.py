"""Topic expressions of every dialect: what they select, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.errors import InvalidTopicExpression, TopicDialectUnknown
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import FAMILIES, GT4, OASIS
from aggregator.wire.parse import parse
from aggregator.wire.topics import (
    DIALECTS,
    parse_topic_expression,
    read_topic_expression,
    write_topic,
)

DRAFT, FINAL = ns.TOPIC_DIALECTS
SCOPE = {"t": "urn:t", "sg": ns.OASIS_SG, "old": ns.GT4_SG}
ROOT, CHILD, LEAF = ("{urn:t}a",), ("{urn:t}a", "b"), ("{urn:t}a", "b", "c")
OTHER, ENTRY = ("{urn:o}a",), (ns.clark(ns.OASIS_SG, "Entry"),)


def selects(text: str, *, kind: str = "Full", base: str = FINAL) -> list[tuple[str, ...]]:
    """Which of the topics above an expression selects."""
    expression = parse_topic_expression(text, dialect=base + kind, scope=SCOPE)
    return [topic for topic in (ROOT, CHILD, LEAF, OTHER, ENTRY) if expression.selects(topic)]


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("t:a", [ROOT]),
        ("t:a/b", [CHILD]),
        ("t:a/t:b", [CHILD]),
        ("t:a/*", [CHILD]),
        ("t:*/*/c", [LEAF]),
        ("t:a//c", [LEAF]),
        ("t:a//*", [CHILD, LEAF]),
        ("t:a//.", [ROOT, CHILD, LEAF]),
        ("t:a/b/.", [CHILD]),
        ("t://c", [LEAF]),
        ("t://b", [CHILD]),
        ("t:*", [ROOT]),
        ("*", [ROOT, OTHER, ENTRY]),
        ("*//.", [ROOT, CHILD, LEAF, OTHER, ENTRY]),
        ("a", [ROOT, OTHER]),
        ("t:a|sg:Entry", [ROOT, ENTRY]),
        (" t:a | t:a/b ", [ROOT, CHILD]),
        ("t:b", []),
        ("t:a/c", []),
        ("sg:Entry", [ENTRY]),
        ("old:Entry", [ENTRY]),
    ],
)
def test_expressions_select(text: str, selected: list[tuple[str, ...]]) -> None:
    assert selects(text) == selected


@pytest.mark.parametrize("base", ns.TOPIC_DIALECTS)
def test_simple_and_concrete_name_one(base: str) -> None:
    assert selects("t:a", kind="Simple", base=base) == [ROOT]
    assert selects("t:a/b/c", kind="Concrete", base=base) == [LEAF]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "Full"),
        ("t:", "Full"),
        (":a", "Full"),
        ("t:a/", "Full"),
        ("/t:a", "Full"),
        ("t:a///b", "Full"),
        ("t:a b", "Full"),
        ("t:a|", "Full"),
        ("x:a", "Full"),
        ("t:a/x:b", "Full"),
        ("t:a/b", "Simple"),
        ("t:*", "Simple"),
        ("t:a//b", "Concrete"),
        ("t:a/.", "Concrete"),
        ("t:a|t:b", "Concrete"),
        ("t:a" + "/b" * 40, "Full"),
        ("|".join(["t:a"] * 65), "Full"),
        ("t:" + "a" * 5000, "Simple"),
    ],
)
def test_what_is_none_is_refused(text: str, kind: str) -> None:
    with pytest.raises(InvalidTopicExpression):
        selects(text, kind=kind)


def test_an_unknown_dialect_is_told_which_there_are() -> None:
    with pytest.raises(TopicDialectUnknown, match=r"'urn:x'; spoken are .*t-1/TopicExpression"):
        parse_topic_expression("t:a", dialect="urn:x", scope=SCOPE)


@pytest.mark.parametrize("attribute", ["Dialect", "n:Dialect"])
def test_the_dialect_may_be_qualified_as_in_the_toolkits_example(attribute: str) -> None:
    element = parse(
        f'<T xmlns:n="urn:n" xmlns:t="urn:t" {attribute}="{DRAFT}Simple">\n  t:a\n</T>'.encode()
    )
    assert read_topic_expression(element).selects(ROOT)


@pytest.mark.parametrize("dialect", FAMILIES, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("topic", [ROOT, CHILD, ENTRY])
def test_a_topic_that_is_written_is_selected_by_itself(
    topic: tuple[str, ...], dialect: object
) -> None:
    written = write_topic(topic, dialect=dialect)  # type: ignore[arg-type]
    assert read_topic_expression(parse(written)).selects(topic)


def test_names_of_the_standards_are_written_in_the_readers_dialect() -> None:
    assert ns.GT4_SG.encode() in write_topic(ENTRY, dialect=GT4)
    assert ns.OASIS_SG.encode() in write_topic(ENTRY, dialect=OASIS)


@settings(max_examples=300)
@given(st.text(st.sampled_from("ta:/*.| \x00é"), max_size=40), st.sampled_from(sorted(DIALECTS)))
def test_any_text_is_an_expression_or_is_refused(text: str, dialect: str) -> None:
    try:
        expression = parse_topic_expression(text, dialect=dialect, scope=SCOPE)
    except InvalidTopicExpression:
        return
    for topic in (ROOT, CHILD, LEAF):
        expression.selects(topic)
