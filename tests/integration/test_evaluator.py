"""The query evaluator as a process: what it answers, and what can't hurt it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from lxml import etree

from aggregator.errors import InvalidQuery, ResourceUnknown
from aggregator.wire import namespaces as ns
from tests.integration import evaluator_kit
from tests.integration.evaluator_kit import CONFIG, Evaluated, evaluated

service = evaluator_kit.service
quiet = evaluator_kit.quiet

#: The properties that tell the topics, in the documents of a group and of an entry alike.
DRAFTS_TOPICS = [*["Topic"] * 2, "FixedTopicSet", *["TopicExpressionDialects"] * 3]
FINAL_TOPICS = [*["TopicExpression"] * 2, "FixedTopicSet", *["TopicExpressionDialect"] * 4]


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("count(//sg:Entry)", "3"),
        ("3.0", "3"),
        ("1 div 3", "0.3333333333333333"),
        ("1000000 * 1000000", "1000000000000"),
        ("0.0000001", "0.0000001"),
        ("-1 div 0", "-Infinity"),
        ("number('x')", "NaN"),
        ("count(//w:widget) = 3", "true"),
        ("//w:nothing = 3", "false"),
        ("string(//w:widget[1])", "w:blue"),
        ("//w:widget/@size", "3\n3\n3"),
        ("//w:widget[1]/text()", "w:blue\nw:blue\nw:blue"),
        ("//w:nothing", ""),
        ("local-name(/*)", "IndexRP"),
        ("namespace-uri(.)", "http://mds.globus.org/index"),
        ("count(sg:Entry)", "3"),
        ("string(//agg:RegistrationCount/*[local-name()='total'])", "0"),
        ("boolean(//rl:TerminationTime/@*[local-name()='nil'])", "true"),
        ("name(//*[local-name() = 'Entry'][1])", "sg:Entry"),
    ],
)
def test_scalars_and_texts(quiet: Evaluated, expression: str, wanted: str) -> None:
    assert quiet.text(expression) == wanted


def test_an_entry_is_answered_by_its_stored_bytes(quiet: Evaluated) -> None:
    for family, prefix in (("gt4", "sg"), ("oasis", "o")):
        found = quiet.xml(f"//{prefix}:Entry", family=family)
        whole = quiet.xml("/*[1]", family=family)
        assert found.count(CONFIG) == 3
        assert found in whole


def test_a_node_inside_an_entry_keeps_the_prefixes_of_its_text(quiet: Evaluated) -> None:
    name = etree.fromstring(quiet.xml("(//agg:ResourcePropertyName)[2]"))
    assert name.text == "own:Entry"
    assert name.nsmap["own"] == ns.GT4_SG


def test_mixed_results_are_elements_and_escaped_lines(quiet: Evaluated) -> None:
    found = quiet.xml("//w:widget[1][1] | //w:widget/@size")
    assert found.count(b"<w:widget") == 3
    assert found.count(b"3\n") == 3


@pytest.mark.parametrize(
    "expression", ["/node()", "/*/..", "/ | //w:widget", "ancestor-or-self::*"]
)
def test_what_selects_the_document_gives_all_of_it(quiet: Evaluated, expression: str) -> None:
    root = etree.fromstring(quiet.xml(expression))
    assert root.tag == "{http://mds.globus.org/index}IndexRP"
    assert [etree.QName(child).localname for child in root] == [
        *["Entry"] * 3,
        "RegistrationCount",
        "CurrentTime",
        "TerminationTime",
        *DRAFTS_TOPICS,
    ]


def test_the_document_of_an_entry(service: Evaluated) -> None:
    key = service.add(2)[1]
    for family, topics in (("gt4", DRAFTS_TOPICS), ("oasis", FINAL_TOPICS)):
        root = etree.fromstring(service.xml("/*[1]", entry=key, family=family))
        assert root.tag == f"{{{ns.AGG}}}ServiceGroupEntryRP"
        assert [etree.QName(child).localname for child in root] == [
            "TerminationTime",
            "MemberEPR",
            "Content",
            "CurrentTime",
            "ServiceGroupEPR",
            *topics,
            "health",
        ]
    assert service.text("string(//w:widget/@size)", entry=key) == "3"
    with pytest.raises(ResourceUnknown):
        service.ask("/*[1]", entry="f" * 32)
    service.remove(key)
    with pytest.raises(ResourceUnknown):
        service.ask("/*[1]", entry=key)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("//[", "no XPath 1.0"),
        ("//x:y", "'x' of 'x:y' is not declared"),
        ("document('/etc/passwd')", r"document\(\) is no function"),
        ("$secret", "variable"),
        ("", "empty"),
        ("x" * 20_000, "at most 16384"),
        ("//*[(", "no XPath 1.0"),
    ],
)
def test_what_is_no_xpath_is_refused(quiet: Evaluated, expression: str, reason: str) -> None:
    with pytest.raises(InvalidQuery, match=reason):
        quiet.ask(expression)


def test_an_unknown_group_is_refused(quiet: Evaluated) -> None:
    request = quiet.request("/*")
    with pytest.raises(ResourceUnknown, match="Nobody"):
        quiet.client.query(type(request)("Nobody", None, "gt4", "/*", {}, 0, "one"))


def test_everything_acknowledged_is_seen_on_both_databases(
    tmp_path: Path, database_url: str
) -> None:
    with evaluated(tmp_path, database_url) as service:
        for count in (1, 2, 3):
            service.add()
            assert service.text("count(//sg:Entry)") == str(count)
            assert service.text("count(//o:Entry)", family="oasis") == str(count)
        key = service.add(data=[b"<special/>"])[0]
        assert service.text("count(//special)") == "1"
        service.remove(key)
        assert service.text("count(//special)") == "0"


def test_expired_entries_are_never_seen(service: Evaluated) -> None:
    key = service.add(3)[0]
    service.text("1")
    end = service.store.clock.now() + 1_000_000
    service.renew(key, end)
    assert service.text("count(//sg:Entry)") == "3"
    while service.store.clock.now() <= end:
        time.sleep(0.01)
    assert service.text("count(//sg:Entry)") == "2"
