"""Reports of nodes in a trigger group and in an archive; how often updates are asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import soap
from tests.databases import DATABASES
from tests.integration.archive_scene import ask
from tests.integration.trigger_kit import TRIGGER, rule
from tests.report_kit import LEDGER, Reporting, report, reporting, wait_up
from tests.waiting import until

TICKING = """
    import os, time
    from aggregator.reports import Aggregator

    class Ticking(Aggregator):
        def getUpdateMessage(self):
            with open(os.environ["LEDGER"] + ".ticks", "a") as ticks:
                ticks.write(f"{time.monotonic()}\\n")
"""
ACTION = '#!/bin/sh\ncat >>"{folder}/given"\necho fired >>"{folder}/told"\n'


@pytest.fixture(scope="module", params=DATABASES)
def found(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reporting]:
    folder = tmp_path_factory.mktemp("groups")
    (folder / "actions").mkdir()
    action = folder / "actions" / "act"
    action.write_text(ACTION.format(folder=folder))
    action.chmod(0o755)
    more = f"[triggers]\nfolder = '{folder}/actions'\n"
    names = ("Ledger", "Ticking")
    with reporting(
        request.param, folder, names=names, more=more, ledger=LEDGER, ticking=TICKING
    ) as running:
        wait_up(running)
        yield running


def config(node: str, *rules: str) -> str:
    return (
        f'<agg:AggregatorConfig xmlns:agg="{soap.AGG}" xmlns:trigger="{TRIGGER}"><agg:ReportType>'
        f"<agg:Node>{node}</agg:Node><agg:Type>Load</agg:Type></agg:ReportType>"
        f"{''.join(rules)}</agg:AggregatorConfig>"
    )


def test_a_report_fires_a_rule(found: Reporting) -> None:
    folder = found.ledger.parent
    group = f"{found.url}/wsrf/services/DefaultTriggerService"
    high = rule("//*[local-name()='load'] > 5", minimumFiringInterval=3600)
    soap.add(group, "http://node1.example.org/", config("node1", high))
    assert report(found.url, "node1", "1", b"<load>2</load>").status == 201
    assert report(found.url, "node1", "2", b"<load>9</load>").status == 201
    until((folder / "told").exists, what="the action")
    assert "<load>9</load>" in (folder / "given").read_text()
    assert "<load>2</load>" not in (folder / "given").read_text()


def test_reports_are_kept_in_an_archive(found: Reporting) -> None:
    group, member = f"{found.url}/wsrf/services/ArchiveService", "http://node2.example.org/"
    soap.add(group, member, config("node2"))
    for number in (1, 2):
        data = b"<load>%d</load>" % number
        assert report(found.url, "node2", str(number), data).status == 201

        def kept(wanted: str = str(number)) -> bool:
            nodes = ask(group, "//*[local-name()='load']", member=member).body
            return wanted in [node.text for node in nodes]

        until(kept, what="the report in the archive")
    nodes = ask(group, "//*[local-name()='load']", member=member).body
    assert {node.text for node in nodes} == {"1", "2"}


def test_updates_are_asked_for_every_second_unless_set_otherwise(found: Reporting) -> None:
    file = found.ledger.with_name(found.ledger.name + ".ticks")

    def ticks() -> list[float]:
        return [float(line) for line in file.read_text().split()] if file.exists() else []

    until(lambda: len(ticks()) >= 5, what="some questions")
    took = ticks()[4] - ticks()[0]
    # Four seconds; later, where a host is busy, and hardly sooner.
    assert 3.5 < took < 12
