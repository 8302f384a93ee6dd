"""What probes measure becomes what a measurement archive tells: registration, sink, reply."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from aggregator.wire.nmwg_names import BUCKETS_EVENT, IPERF_EVENT
from tests import soap
from tests.measured import data, find, message, metadata, pair, reply
from tests.measuring import reflecting, serving_iperf3
from tests.service import RunningService, running_service
from tests.waiting import until

HERE, THERE = "127.0.0.1", "127.0.0.2"
CONFIG = """
[measurement]
metadata_db_type = "file"
[groups.Measurements]
sinks = ["index", "measurement"]
min_interval_millis = 100
[probes.checks]
twping-lite.near = {}
iperf3-throughput.near = {}
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    """With a reflector and a server of iperf3 on another address of this machine."""
    with reflecting(f"{THERE}:0") as (port, _), serving_iperf3(THERE) as (other, _):
        source = f"source={HERE}"
        words = [f"port={port}", "packets=5", "interval=0.01", "timeout=1", source]
        load = [f"port={other}", "duration=1", "bandwidth=8000000", source]
        config = CONFIG.format(json.dumps(words), json.dumps(load))
        with running_service(tmp_path, config=config) as found:
            yield found


def told(service: RunningService, event: str, ends: tuple[str, str]) -> list[etree._Element]:
    """The measurements of a SetupDataResponse."""
    body = message(metadata(subject=pair(*ends), types=[event]) + data())
    url = f"{service.url}/perfSONAR_PS/services/pSB"
    with urllib.request.urlopen(urllib.request.Request(url, body), timeout=30) as answer:
        found = reply(answer.read())
    return [one for one in find(found, "nmwg:data/*") if one.get("timeType")]


def test_what_is_measured_is_told_by_the_archive(service: RunningService) -> None:
    group = f"{service.url}/wsrf/services/Measurements"
    for probe in ("twping-lite/near", "iperf3-throughput/near"):
        soap.add(group, f"http://{THERE}/host", soap.execution_config(probe, millis=2000))
    there, back = (HERE, THERE), (THERE, HERE)
    # Each time that the probe runs is one more sample.
    until(lambda: len(told(service, BUCKETS_EVENT, back)) > 1, what="samples")
    for ends in (there, back):
        row = told(service, BUCKETS_EVENT, ends)[0]
        assert (row.get("sent"), row.get("loss")) == ("5", "0")
        buckets = row.findall(".//{*}value_bucket")
        assert sum(int(one.get("count", "")) for one in buckets) == 5
    row = until(lambda: told(service, IPERF_EVENT, there), what="throughput")[0]
    assert float(row.get("throughput", "")) == pytest.approx(8e6, rel=0.3)
    assert told(service, IPERF_EVENT, back) == []
