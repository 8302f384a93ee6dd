"""A real archive asked by our own client, and polled and registered by our own service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from tests import soap
from tests.integration.commands import run
from tests.integration.registering_process import registering
from tests.integration.test_measurement_service import MEASURED, PATH, config_of, stored
from tests.measured import IPERF_EVENT, MAKEY, PREFIXES, data, message, reply
from tests.service import RunningService, running_service
from tests.soap import AGG
from tests.waiting import until


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that has measured something, and a group that polls often."""
    folder = tmp_path_factory.mktemp("found")
    groups = "[groups.Fast]\nsinks = ['index']\nmin_interval_millis = 100\n"
    with running_service(folder, config=config_of(folder, groups)) as found:
        stored(found)
        yield found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "request.xml"


def test_the_client_asks_it(service: RunningService, file: Path) -> None:
    file.write_bytes(message(MEASURED + data()))
    ended = run("perfsonar-client", f"{service.url}{PATH}", str(file))
    assert (ended.status, ended.err) == (0, "")
    assert reply(ended.out.encode()).find("nmwg:data/iperf:datum", PREFIXES) is not None
    host, _, port = service.url.partition("//")[2].partition(":")
    given = ["--server", host, "--port", port, "--filter", "//iperf:datum/@throughput", str(file)]
    ended = run("perfsonar-client", *given)
    assert (ended.status, float(ended.out)) == (0, 9.5e8)


def test_the_client_tells_of_its_errors(service: RunningService, file: Path) -> None:
    file.write_bytes(message(MEASURED.replace("192.0.2.1", "192.0.2.77") + data()))
    ended = run("perfsonar-client", f"{service.url}{PATH}", str(file))
    assert ended.status == 1
    assert ended.err.startswith("error: error.ma.storage: Database ")
    ended = run("perfsonar-client", f"{service.url}{PATH}", str(file.with_name("none.xml")))
    assert ended.status == 2


def published(service: RunningService, what: str) -> list[etree._Element]:
    group = f"{service.url}/wsrf/services/Fast"
    return [
        found
        for entry in soap.entries(group)
        for element in entry.iter(f"{{{AGG}}}AggregatorData")
        for found in element.findall(what, PREFIXES)
    ]


@pytest.mark.parametrize(
    ("seconds", "rows"), [(3_153_600_000, ["9.5e+08"]), (30, [])], ids=["ever", "just now"]
)
def test_the_source_polls_it(service: RunningService, seconds: int, rows: list[str]) -> None:
    config = (
        f'<agg:AggregatorConfig xmlns:agg="{AGG}"><agg:MeasurementPollType>'
        "<agg:PollIntervalMillis>200</agg:PollIntervalMillis><agg:Src>192.0.2.1</agg:Src>"
        f"<agg:Dst>192.0.2.2</agg:Dst><agg:EventType>{IPERF_EVENT}</agg:EventType>"
        f"<agg:Window>{seconds}</agg:Window></agg:MeasurementPollType></agg:AggregatorConfig>"
    )
    entry = soap.add(f"{service.url}/wsrf/services/Fast", f"{service.url}{PATH}", config=config)
    data = until(lambda: published(service, "nmwg:data"))
    found = [
        float(one.get("throughput", "")) for one in published(service, "nmwg:data/iperf:datum")
    ]
    assert found == [float(row) for row in rows]
    if not rows:
        assert data[0][0].text == "Query returned 0 results"
    soap.destroy(entry)


def test_it_is_found_through_a_group_with_its_keys(service: RunningService, tmp_path: Path) -> None:
    given = {"access_point": f"{service.url}{PATH}", "polled": True, "event_type": IPERF_EVENT}
    with registering(tmp_path, groups=[f"{service.url}/wsrf/services/Fast"], **given) as running:
        keys = until(lambda: published(service, MAKEY))
        assert len(keys[0].text or "") == 32
        assert published(service, "nmwg:metadata//nmwgt:src")[0].get("value") == "192.0.2.1"
        running.round("end")
    until(lambda: published(service, MAKEY) == [])
