"""Archives of a running service: members, registrations, clients, processes that are killed."""

from __future__ import annotations

import csv
import json
import time
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import psutil
import pytest
import zeep
from lxml import etree

from tests import soap
from tests.chaos.victims import role_of
from tests.clients.own_schemas import check_against_ours
from tests.databases import DATABASES, database
from tests.integration.commands import block, run, write_registrations
from tests.service import RunningService, running_service
from tests.soap import NS, EntryReference, Family, execution_config
from tests.waiting import until

ARCHIVE = "http://mds.globus.org/archive/2006/08"
XINDICE = "http://xml.apache.org/xindice/Query"
OURS = "urn:mds-aggregator:archive"
#: A busy machine is no gap.
CONFIG = """
[collect]
stale_intervals = 100
[probes]
folder = "{folder}"
timeout = "5s"
[query]
timeout = "1500ms"
[groups.ArchiveService]
min_interval_millis = 50
[groups.ArchiveService.series]
load = {{ xpath = "/agg:AggregatorData/x:said/@load", namespaces = {{ x = "urn:x", agg = \
"http://mds.globus.org/aggregator/types" }} }}
slow = {{ xpath = "count(//*[count(//*) > 0][count(.//*) = 0][count(preceding::*) > 0])" }}
[groups.Both]
sinks = ["index", "archive"]
min_interval_millis = 50
"""
FAMILIES: tuple[Family, ...] = ("gt4", "oasis")


@dataclass(slots=True)
class Scene:
    """A service whose members say what is in their files."""

    service: RunningService
    said: Path
    options: list[str]

    @property
    def group(self) -> str:
        return f"{self.service.url}/wsrf/services/ArchiveService"

    def says(self, member: str, text: str) -> None:
        """Have a member say something, from one moment to the next."""
        new = self.said / f"{uuid.uuid4().hex}.new"
        new.write_text(text)
        new.rename(self.said / member.rpartition("/")[2])

    def add(self, member: str, text: str, *, group: str = "") -> EntryReference:
        """Register a member that says something."""
        self.says(member, text)
        return soap.add(group or self.group, member, execution_config("say", millis=100))

    def kept(self, member: str, expression: str = "//*[local-name()='said']") -> list[Any]:
        """What is kept of a member."""
        return list(ask(self.group, expression, member=member).body)

    def until_kept(self, member: str, text: str) -> etree._Element:
        def found() -> list[etree._Element]:
            return [node for node in self.kept(member) if node.text == text]

        return until(found, what=f"{text} is not kept")[-1]


def member() -> str:
    """The address of a member of its own."""
    return f"http://127.0.0.1:1/{uuid.uuid4().hex}"


def said(text: str, load: str = "1") -> str:
    return f'<x:said xmlns:x="urn:x" load="{load}">{text}</x:said>'


def ask(
    url: str,
    expression: str,
    *,
    family: Family = "oasis",
    member: str = "",
    more: str = "",
    declare: str = "",
) -> soap.Answer:
    """QueryArchive, in the WS-Addressing of a dialect."""
    wsa = NS[family]["wsa"]
    of = f'<MemberEPR xmlns:w="{wsa}"><w:Address>{member}</w:Address></MemberEPR>' if member else ""
    return soap.call(
        url,
        f'<QueryArchive xmlns="{ARCHIVE}"><QueryExpression {declare}>{escape(expression)}'
        f"</QueryExpression>{of if not more.startswith('<From') else ''}{more}"
        f"{of if more.startswith('<From') else ''}</QueryArchive>",
        header=f'<a:To xmlns:a="{wsa}">{url}</a:To>',
    )


@pytest.fixture(scope="module", params=DATABASES)
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("archive")
    probes, words = folder / "probes", folder / "said"
    for made in (probes, words):
        made.mkdir(mode=0o755)
    probe = probes / "say"
    probe.write_text(f'#!/bin/sh\nexec cat "{words}/${{1##*/}}"\n')
    probe.chmod(0o755)
    with (
        database(request.param, folder) as url,
        running_service(
            folder / "data",
            config=CONFIG.format(folder=probes),
            options=["--database", url],
        ) as running,
    ):
        yield Scene(running, words, ["--data-dir", str(folder / "data"), "--database", url])


def test_a_registration_file_of_mds4_fills_it_and_its_tool_asks_it(
    scene: Scene, tmp_path: Path
) -> None:
    """The sample of MDS4, but for host, port and how often."""
    index = scene.service.group
    config = (
        '<agg:AggregatorConfig xsi:type="agg:AggregatorConfig"><agg:GetResourcePropertyPollType '
        f'xmlns:lifetime="{NS["gt4"]["rl"]}"><agg:PollIntervalMillis>200</agg:PollIntervalMillis>'
        "<agg:ResourcePropertyName>lifetime:CurrentTime</agg:ResourcePropertyName>"
        "</agg:GetResourcePropertyPollType></agg:AggregatorConfig>"
    )
    file = write_registrations(tmp_path, block(index, config=config), group=scene.group)
    assert run("mds-servicegroup-add", "-a", "--once", file).status == 0

    def found() -> list[str]:
        done = run(
            "mds-archive-query", "-s", scene.group, "-q", "//life:CurrentTime",
            "-from", "2000-01-01T00:00:00Z", "-to", "2100-01-01",
            f"xmlns:life={NS['gt4']['rl']}", "--member", index,
        )  # fmt: skip
        assert (done.status, done.err) == (0, "")
        return done.out.splitlines()

    lines = until(lambda: (some := found())[2:] and some, what="no three deliveries")
    nodes = [etree.fromstring(line) for line in lines]
    assert {node.tag for node in nodes} == {f"{{{NS['gt4']['rl']}}}CurrentTime"}
    host = scene.service.url.removeprefix("http://").replace(":", ".")
    for node in nodes:
        place, key = (node.get(f"{{{XINDICE}}}{name}") for name in ("col", "key"))
        first = node.get(f"{{{OURS}}}first")
        day, _, moment = str(first).removesuffix("Z").partition("T")
        assert place == f"/db/archive-service/{host}.ArchiveService/{day.replace('-', '.')}"
        assert key == moment.replace(":", ".")
        assert abs(_seconds(str(node.text)) - _seconds(str(first))) < 5
    assert run("mds-archive-query", "-s", scene.group, "-q", "//nothing").out == ""


def _seconds(text: str) -> float:
    from aggregator.wire.times import parse_datetime  # noqa: PLC0415

    return (parse_datetime(text) or 0) / 1e6


def test_what_changed_is_kept_with_its_span_and_outlives_its_entry(scene: Scene) -> None:
    address = member()
    entry = scene.add(address, said("one"))
    scene.until_kept(address, "one")
    until(lambda: int(scene.kept(address)[0].get(f"{{{OURS}}}deliveries")) > 2, what="no span")
    scene.says(address, said("two"))
    last = scene.until_kept(address, "two")
    assert [node.text for node in scene.kept(address)] == ["one", "two"]
    assert soap.destroy(entry).status == 200
    # Registered again, under another key, it is the same member.
    scene.add(address, said("three"))
    scene.until_kept(address, "three")
    found = scene.kept(address)
    assert [node.text for node in found] == ["one", "two", "three"]
    assert len({node.get(f"{{{OURS}}}entry") for node in found}) == 2
    more = f"<EntryKey>{entry.key}</EntryKey>"
    of_entry = ask(scene.group, "//*[local-name()='said']", more=more).body
    assert [node.text for node in of_entry] == ["one", "two"]
    # By time: only what came until the second one did.
    first = last.get(f"{{{OURS}}}first")
    since = f"<From>{first}</From>"
    until_then = ask(scene.group, "//*[local-name()='said']", member=address, more=since).body
    assert [node.text for node in until_then] == ["two", "three"]


def test_it_is_read_as_an_index_is(scene: Scene) -> None:
    address = member()
    scene.add(address, said("shown"))
    scene.until_kept(address, "shown")
    expression = f"//*[local-name()='Entry'][.//*='{address}']//*[local-name()='said']"
    (node,) = soap.query(scene.group, expression).body
    assert node.text == "shown"


def test_it_can_be_a_second_sink(scene: Scene) -> None:
    group = f"{scene.service.url}/wsrf/services/Both"
    address = member()
    scene.add(address, said("both"), group=group)
    until(lambda: list(ask(group, "//*", member=address).body), what="nothing is kept")
    assert soap.query(group, "count(//*[local-name()='said'])").body.text == "1"


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


def test_what_was_acknowledged_outlives_the_kill_of_every_process(scene: Scene) -> None:
    """Published means kept: both are one transaction."""
    address = member()
    entry = scene.add(address, said("before"))
    scene.until_kept(address, "before")
    for number in range(3):
        text = f"kill{number}"
        scene.says(address, said(text))

        def published(text: str = text) -> bool:
            content = soap.get_property(entry.address, "sg:Content", header=entry.header)
            return text.encode() in content.content

        until(published, what="not published")
        collector = until(lambda: role_of(scene.service, "collector"), what="no collector")
        collector.kill()
        assert [node.text for node in scene.kept(address)][-1] == text
    web = role_of(scene.service, "web")
    evaluator = role_of(scene.service, "query")
    for victim in (web, evaluator):
        assert victim is not None
        victim.kill()

    def texts() -> list[str | None]:
        try:
            found = [node.text for node in scene.kept(address)]
        except (OSError, HTTPException):
            return []
        # While no collector ran nothing came, so what came before and after is two spans.
        return [text for text, _ in groupby(found)]

    until(lambda: texts() == ["before", "kill0", "kill1", "kill2"], what="something was lost")


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


class TestNumbers:
    def test_are_taken_and_shown_with_their_gaps(self, scene: Scene) -> None:
        address = member()
        scene.add(address, said("a", load="2.5"))
        scene.until_kept(address, "a")
        scene.says(address, said("b", load="none"))
        scene.until_kept(address, "b")
        scene.says(address, said("c", load="4"))
        scene.until_kept(address, "c")
        names = json.loads(_get(f"{scene.group}?series"))
        assert "load" in names["series"]
        shown = json.loads(_get(f"{scene.group}?series=load&member={address}&bucket=1d"))
        (of_member,) = shown["members"]
        last = of_member["buckets"][-1]
        assert (last["min"], last["max"], last["last"]) == (2.5, 4, 4)
        assert last["count"] >= 2
        assert of_member["buckets"][0] == {
            "at": of_member["buckets"][0]["at"],
            "count": 0,
            **dict.fromkeys(("min", "max", "mean", "last")),
        }

        command = ["archive", "series", *scene.options, "load", "--member", address]
        done = run("aggregator", *command, "--output", "csv")
        assert (done.status, done.err) == (0, "")
        found = list(csv.DictReader(done.out.splitlines()))
        assert len(found) == 25
        (row,) = [one for one in found if one["count"] != "0"]
        assert (row["member"], row["min"], row["max"]) == (address, "2.5", "4.0")

    def test_that_a_document_makes_too_dear_are_left_out_and_it_is_kept(self, scene: Scene) -> None:
        """`slow` goes through all elements for each of them; one member has thousands."""
        address, other = member(), member()
        hostile = "<x:said xmlns:x='urn:x' load='7'>deep" + "<a/>" * 40_000 + "</x:said>"
        scene.add(address, hostile)
        scene.add(other, said("quick", load="3"))
        scene.until_kept(address, "deep")
        scene.until_kept(other, "quick")

        def numbers(of: str) -> Any:
            return json.loads(_get(f"{scene.group}?series=load&member={of}&bucket=1d"))["members"]

        until(lambda: numbers(other), what="the other's numbers are not taken")
        assert numbers(address) == []
        metrics = _get(f"{scene.service.url}/metrics").decode()
        assert "aggregator_archive_extraction_failures_total" in metrics


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as answer:
        content: bytes = answer.read()
        return content


def test_it_is_exported_while_it_is_served(scene: Scene, tmp_path: Path) -> None:
    address = member()
    scene.add(address, said("exported"))
    scene.until_kept(address, "exported")
    file = tmp_path / "kept.csv"
    base = ["archive", "export", *scene.options, "--format", "csv", "--member", address]
    done = run("aggregator", *base, str(file))
    assert (done.status, done.out, done.err) == (0, f"1 rows to {file}\n", "")
    with file.open(newline="", encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["member"], int(row["deliveries"]) > 0) == (address, True)
    assert ">exported</x:said>" in row["document"]


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


def test_no_process_is_left_behind_by_a_reload(scene: Scene) -> None:
    """The one that takes numbers goes with the settings that it was started for."""
    address = member()
    scene.add(address, said("reload", load="1"))
    scene.until_kept(address, "reload")

    def takers() -> list[int]:
        collector = role_of(scene.service, "collector")
        found = collector.children() if collector else []
        return [one.pid for one in found if "extract_process" in " ".join(one.cmdline())]

    (before,) = until(takers, what="nobody takes numbers")
    scene.service.process.send_signal(1)
    scene.says(address, said("reloaded", load="2"))
    scene.until_kept(address, "reloaded")
    until(lambda: len(takers()) == 1 and takers() != [before], what="it did not go")
    assert not psutil.pid_exists(before)
