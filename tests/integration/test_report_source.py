"""Reports of a node as a source: in the index, to subscribers, and gone with the entry."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import soap
from tests.chaos.victims import role_of
from tests.databases import DATABASES
from tests.report_kit import Reporting, report, reporting, wait_up
from tests.service import RunningService
from tests.waiting import until


@pytest.fixture(scope="module", params=DATABASES)
def found(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reporting]:
    folder = tmp_path_factory.mktemp("source")
    with reporting(request.param, folder, settings="max_waiting = 20\n") as running:
        wait_up(running)
        yield running


def block(node: str, type: str = "Load") -> str:
    followed = f"<agg:Node>{node}</agg:Node><agg:Type>{type}</agg:Type>"
    return (
        f"<agg:AggregatorConfig><agg:ReportType>{followed}</agg:ReportType></agg:AggregatorConfig>"
    )


def published(group: str, member: str) -> list[tuple[str, str]]:
    """Name and text of what the entry of a member publishes."""
    path = f".//{{{soap.AGG}}}AggregatorData/*"
    return [
        (str(child.tag), child.text or "")
        for entry in soap.entries(group)
        if member in "".join(entry.itertext())
        for child in entry.findall(path)
    ]


def test_reports_of_a_node_appear_in_the_index_and_go_to_the_aggregator(found: Reporting) -> None:
    group, member = found.service.group, "http://node1.example.org/"
    soap.add(group, member, config=block("node1"))
    name = "{urn:mds-aggregator:reports}Report"
    for number, (data, wanted) in enumerate(
        (
            (b"<s:up xmlns:s='urn:s'>x</s:up>", ("{urn:s}up", "x")),
            (b'{"a":1}', (name, '{"a":1}')),
            (b"\xc3\xa9", (name, "é")),
        )
    ):
        assert report(found.url, "node1", f"s{number}", data).status == 201
        report(found.url, "node2", f"s{number}", b"<other/>")
        report(found.url, "node1", f"t{number}", b"<other/>", type="Other")

        def shows(expected: tuple[str, str] = wanted) -> bool:
            return published(group, member) == [expected]

        until(shows, what="the report in the index")
    until(lambda: ("node1", "s2") in found.seen(), what="the same at the aggregator")


def test_two_registrations_follow_one_node_and_one_that_goes_leaves_the_other(
    found: Reporting,
) -> None:
    group = found.service.group
    first = soap.add(group, "http://first.example.org/", config=block("node3"))
    soap.add(group, "http://second.example.org/", config=block("node3"))
    report(found.url, "node3", "1", b"<a/>")
    for member in ("first", "second"):
        until(lambda member=member: published(group, member) == [("a", "")])  # type: ignore[misc]
    soap.destroy(first)
    report(found.url, "node3", "2", b"<b/>")
    until(lambda: published(group, "second") == [("b", "")], what="the other one's")
    assert published(group, "first") == []


def test_reports_that_come_while_no_collector_runs_are_collected_in_order(
    found: Reporting,
) -> None:
    group = found.service.group
    soap.add(group, "http://later.example.org/", config=block("node4"))
    collector = role_of(found.service, "collector")
    assert collector is not None
    collector.kill()
    for number in range(10):
        assert report(found.url, "node4", str(number), f"<n>{number}</n>".encode()).status == 201
    until(lambda: published(group, "later") == [("n", "9")], what="the last one")


def test_where_no_reports_are_taken_the_add_is_refused(served: RunningService, group: str) -> None:
    answer = soap.call(group, soap.add_body("http://node1.example.org/", block("node1")))
    assert answer.fault[0] == "AddRefusedFault"
    assert "no reports are taken here: reports.tokens is not set" in answer.fault[1]
    assert soap.entries(group) == []
    off = report(served.url, "node1", "1", b"x")
    assert off.status not in (200, 201)
