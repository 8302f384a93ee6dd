"""Expressions that the benchmark xpath asks, and how answers to them are compared."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from lxml import etree

from bench import entries
from bench.peers import basex
from bench.processes import Missing
from bench.xpath_answers import differ
from bench.xpath_grammar import KINDS, drawn
from bench.xpath_queries import FIXED, NAMESPACES, TARGETS, Form, Kind, Template
from tests import soap

SOME = 30


def an_envelope(content: str) -> bytes:
    rp = soap.NS["oasis"]["rp"]
    return soap.envelope(f'<rp:Response xmlns:rp="{rp}">{content}</rp:Response>')


@pytest.fixture(scope="module")
def group() -> etree._Element:
    sg, wsa = NAMESPACES["sg"], NAMESPACES["wsa"]
    members = "".join(
        f"<sg:Entry><sg:MemberServiceEPR><wsa:Address>{entries.member(number)}</wsa:Address>"
        f'</sg:MemberServiceEPR><sg:Content><agg:AggregatorData xmlns:agg="{soap.AGG}">'
        f"{entries.content(number)}</agg:AggregatorData></sg:Content></sg:Entry>"
        for number in range(SOME)
    )
    return etree.fromstring(f'<group xmlns:sg="{sg}" xmlns:wsa="{wsa}">{members}</group>')


@pytest.mark.parametrize(
    ("kind", "ours", "theirs"),
    [
        (
            "nodes",
            '<a xmlns="urn:u" xmlns:more="urn:v" y="2" x="1"/>',
            '<a x="1" xmlns="urn:u" y="2"></a>',
        ),
        ("nodes", "<a/><b>text</b>", "<a/>\n<b>text</b>"),
        ("nodes", "<a/>an attribute\n", "<a/>\nan attribute"),
        ("nodes", "", ""),
        ("text", "one\ntwo", "one\ntwo"),
        ("number", "10000000", "1.0E7"),
        ("number", "0.30000000000000004", "0.3"),
        ("number", "Infinity", "INF"),
        ("number", "NaN", "NaN"),
        ("boolean", "true", "true"),
        ("string", "a &amp; b", "a &amp; b"),
        ("string", "", ""),
    ],
)
def test_answers_that_say_the_same(kind: Kind, ours: str, theirs: str) -> None:
    assert differ(kind, an_envelope(ours), theirs.encode()) == ""


@pytest.mark.parametrize(
    ("kind", "ours", "theirs", "told"),
    [
        ("nodes", '<a x="1"/>', '<a x="2"/>', "item 1"),
        ("nodes", "<a/><b/>", "<b/><a/>", "item 1"),
        ("nodes", "<a/>", "<a/><a/>", "1 items, where BaseX has 2"),
        ("nodes", "<a> </a>", "<a/>", "item 1"),
        ("nodes", '<a xmlns="urn:u"/>', "<a/>", "item 1"),
        ("nodes", "", "<a/>", "0 items"),
        ("text", "one\ntwo", "two\none", "one"),
        ("text", "<a/>", "", "elements"),
        ("number", "3", "4", "BaseX has '4'"),
        ("number", "NaN", "4", "BaseX has '4'"),
        ("boolean", "true", "false", "true"),
        ("string", "0007", "7", "0007"),
    ],
)
def test_answers_that_differ(kind: Kind, ours: str, theirs: str, told: str) -> None:
    assert told in differ(kind, an_envelope(ours), theirs.encode())


def test_both_get_the_same_constants() -> None:
    template = Template("[{cpus} and {cluster}]", "<{cpus} and {cluster}/text()>", "nodes")
    query = template.fill(Random(1), 1000)
    assert query.basex == f"<{query.ours[1:-1]}/text()>"
    assert "{" not in query.ours


@pytest.mark.parametrize("form", FIXED, ids=lambda form: form.name)
def test_constants_change_from_request_to_request(form: Form) -> None:
    queries = form.queries(50, Random(1), 10_000)
    assert len({query.ours for query in queries}) > 10
    assert form.queries(50, Random(1), 10_000) == queries


def test_fixed_forms_find_something(group: etree._Element) -> None:
    """Each form of the fixed ones, asked some times, has an answer that is not empty."""
    for form in FIXED:
        answers = [_evaluated(query.ours, group) for query in form.queries(50, Random(1), SOME)]
        assert any(answers), form.name


@pytest.mark.parametrize("kind", KINDS)
def test_drawn_forms_are_xpath_and_give_what_they_say(kind: str, group: etree._Element) -> None:
    found = 0
    for number in range(100):
        form = drawn(Random(number), kind)
        assert form == drawn(Random(number), kind)
        assert form.category in TARGETS
        [query] = form.queries(1, Random(number), SOME)
        value = _evaluated(query.ours, group)
        expected = {"number": float, "boolean": bool, "string": str}.get(query.kind, list)
        assert isinstance(value, expected), query.ours
        if query.kind == "text":
            assert isinstance(value, list)
            assert all(isinstance(one, str) for one in value)
        found += bool(value)
    assert found > 20


def test_a_query_is_put_into_an_envelope_as_it_is() -> None:
    query = Template("count(//a[@b < 3 and @c='&'])", "", "number").fill(Random(1), 10)
    [expression] = etree.fromstring(query.envelope).iter("{*}QueryExpression")
    assert expression.text == query.ours
    assert expression.nsmap["glue"] == NAMESPACES["glue"]


def test_without_basex_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(basex, "_JAR", tmp_path / "none.jar")
    with pytest.raises(Missing, match="package basex"), basex.basex(tmp_path, b"<a/>"):
        pass


def _evaluated(expression: str, group: etree._Element) -> object:
    return etree.XPath(expression, namespaces=NAMESPACES, smart_strings=False)(group)
