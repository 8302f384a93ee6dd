"""What an archive answers, whatever the database: forms, faults, pages, limits."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
import zeep
from lxml import etree

from tests import soap
from tests.clients.own_schemas import check_against_ours
from tests.integration.archive_scene import (
    ARCHIVE,
    FAMILIES,
    OURS,
    Scene,
    ask,
    member,
    said,
    scene_on,
)
from tests.integration.commands import run
from tests.soap import NS, Family
from tests.waiting import until


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene_on("sqlite", tmp_path_factory.mktemp("archive")) as found:
        yield found


WRONG = (
    ("//*[", "", "InvalidQueryExpressionFault", "no XPath 1.0"),
    ("//p:x", "", "InvalidQueryExpressionFault", "'p'"),
    ("document('/etc/passwd')", "", "InvalidQueryExpressionFault", "no function"),
    ("$x", "<To>2000-01-01T00:00:00Z</To>", "InvalidQueryExpressionFault", "a variable"),
    ("//*", "<From>today</From>", "BaseFault", "From: 'today' is no xsd:dateTime"),
    ("//*", "<Limit>0</Limit>", "BaseFault", "Limit: '0' is no whole number"),
    ("//*", "<After>x</After>", "BaseFault", "After: 'x' is none of ours"),
    ("//*", "<Where/>", "BaseFault", "'Where' is no part of QueryArchive"),
    ("//*", "<Limit>1</Limit><Limit>1</Limit>", "BaseFault", "QueryArchive holds Limit twice"),
    (
        "//*",
        "<From>2026-01-02T00:00:00Z</From><To>2026-01-01T00:00:00Z</To>",
        "BaseFault",
        "is after To",
    ),
)


@pytest.mark.parametrize("family", FAMILIES)
class TestAnswers:
    def test_follow_the_schema_and_speak_the_dialect(self, scene: Scene, family: Family) -> None:
        address = member()
        scene.add(address, said("valid"))
        scene.until_kept(address, "valid")
        for expression in ("//*", "//@*", "string(//*)", "//nothing", "/", "//text()"):
            answer = ask(scene.group, expression, family=family, member=address)
            assert answer.status == 200, answer.content
            check_against_ours(answer.body)
            assert answer.body.tag == f"{{{ARCHIVE}}}QueryArchiveResponse"
            assert f'xmlns:wsa="{NS[family]["wsa"]}"' in answer.content.decode()
        (whole,) = ask(scene.group, "/", member=address).body
        assert etree.QName(whole).localname == "AggregatorData"
        (value,) = ask(scene.group, "number(//@load) + 1", member=address).body
        assert (value.tag, value.text) == (f"{{{OURS}}}Value", "2")
        assert value.get(f"{{{OURS}}}member") == address

    def test_name_what_is_wrong(self, scene: Scene, family: Family) -> None:
        for expression, more, fault, words in WRONG:
            answer = ask(scene.group, expression, family=family, more=more)
            assert answer.status == 500, (expression, more)
            name, told = answer.fault
            assert (name, words in told) == (fault, True), told
            check_against_ours(answer.body)
            detail = next(
                node for node in answer.body.iter("*") if etree.QName(node).localname == fault
            )
            assert etree.QName(detail).namespace in NS[family].values()


def test_pages_lead_from_one_to_the_next(scene: Scene) -> None:
    address = member()
    scene.add(address, said("0"))
    for number in range(1, 6):
        scene.until_kept(address, str(number - 1))
        scene.says(address, said(str(number)))
    scene.until_kept(address, "5")
    texts: list[str | None] = []
    more = "<Limit>2</Limit>"
    while True:
        body = ask(scene.group, "//*[local-name()='said']", member=address, more=more).body
        assert len(body) <= 2
        texts += [node.text for node in body]
        if "next" not in body.attrib:
            break
        more = f"<Limit>2</Limit><After>{body.get('next')}</After>"
    assert texts == [str(number) for number in range(6)]
    # The command goes on by itself, and says how to where it is told to stop.
    options = ["-s", scene.group, "-q", "string(//*)", "--member", address, "--output", "json"]
    whole = run("mds-archive-query", *options)
    assert [one["text"] for one in json.loads(whole.out)] == [*"012345"]
    part = run("mds-archive-query", *options, "--limit", "4")
    assert [one["text"] for one in json.loads(part.out)] == [*"0123"]
    token = part.err.strip().removeprefix("there is more: --after ")
    rest = run("mds-archive-query", *options, "--after", token)
    assert [one["text"] for one in json.loads(rest.out)] == [*"45"]


def test_a_hostile_expression_ends_in_time_and_costs_nobody_else_anything(scene: Scene) -> None:
    address = member()
    many = "<x:said xmlns:x='urn:x'>" + "<a><b/></a>" * 3000 + "</x:said>"
    scene.add(address, many)
    until(lambda: scene.kept(address, "count(//a)"), what="nothing is kept")
    began = time.monotonic()
    answer = ask(scene.group, "count(//*[count(//*[count(//*) > 0]) > 0])", member=address)
    assert answer.fault[0] == "QueryEvaluationErrorFault"
    assert "1.5 s" in answer.fault[1]
    assert time.monotonic() - began < 15
    assert ask(scene.group, "count(//a)", member=address).body[0].text == "3000"


@pytest.mark.parametrize("wsdl", ["?wsdl", "?wsdl=gt4"])
def test_zeep_asks_by_the_wsdl(scene: Scene, wsdl: str) -> None:
    address = member()
    scene.add(address, said("zeep"))
    scene.until_kept(address, "zeep")
    client = zeep.Client(scene.group + wsdl)
    reply = client.service.QueryArchive(
        QueryExpression={"_value_1": "//*[local-name()='said']", "Dialect": soap.XPATH},
        EntryKey=scene.kept(address)[0].get(f"{{{OURS}}}entry"),
    )
    (node,) = reply["_value_1"]
    assert node.text == "zeep"
    with pytest.raises(zeep.exceptions.Fault, match="no XPath"):
        client.service.QueryArchive(QueryExpression={"_value_1": "//*["})
