"""The messages of perfSONAR-PS's samples, where they are at hand, through the source."""

from __future__ import annotations

import pytest
from aggregator.sources._nmwg import read_answer
from aggregator.sources.perfsonar import PerfsonarAggregatorSource
from lxml import etree

from aggregator.contract import ConfigBlock, Group, HttpReply
from aggregator.errors import CollectError
from aggregator.wire.epr import EndpointReference
from aggregator.wire.namespaces import AGG
from aggregator.wire.nmwg import DATA, METADATA
from aggregator.wire.parse import parse
from tests.measured_samples import FOLDER
from tests.nmwg_peer import envelope

REQUESTS = sorted((FOLDER / "requests").glob("*Request*.xml"))
RESPONSES = sorted((FOLDER / "responses").glob("*.xml"))
GROUP = Group("G", min_interval=1000, resolve_probe=lambda name: name)
pytestmark = pytest.mark.skipif(not RESPONSES, reason=f"the samples are not at {FOLDER}")


@pytest.mark.parametrize("name", [file.name for file in REQUESTS])
def test_every_request_can_be_polled(name: str) -> None:
    message = etree.tostring(parse((FOLDER / "requests" / name).read_bytes())).decode()
    config = parse(
        f'<a:AggregatorConfig xmlns:a="{AGG}"><a:MeasurementPollType>'
        f"<a:PollIntervalMillis>5000</a:PollIntervalMillis>{message}</a:MeasurementPollType>"
        "</a:AggregatorConfig>".encode()
    )
    block = ConfigBlock(config[0], config, EndpointReference("http://archive/"), "gt4")
    plan = PerfsonarAggregatorSource().check(block, group=GROUP)
    assert plan.data["window"] == 0


@pytest.mark.parametrize("name", [file.name for file in RESPONSES])
def test_every_response_is_read(name: str) -> None:
    message = parse((FOLDER / "responses" / name).read_bytes())
    body = envelope(etree.tostring(message).decode()).encode()
    reply = HttpReply(200, "text/xml", body)
    if name.endswith(".error.xml"):
        with pytest.raises(CollectError) as caught:
            read_answer(reply)
        assert caught.value.code.startswith("error.ma.storage")
        assert caught.value.code in caught.value.message
        return
    tags = [parse(child).tag for child in read_answer(reply)]
    assert tags
    assert set(tags) == {METADATA, DATA}
