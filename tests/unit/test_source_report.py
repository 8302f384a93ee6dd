"""The source of reports: what is followed, and the XML that a report becomes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aggregator.sources.report import NAME, ReportAggregatorSource
from lxml import etree

from aggregator.errors import CollectError
from aggregator.model import Plan
from aggregator.testing import StubContext

PLAN = Plan(NAME, 0, {"node": "node7", "type": "Status"}, upkeep=1000)
SOURCE = ReportAggregatorSource()


def received(data: bytes, content_type: str = "text/plain") -> etree._Element:
    said = {"node": "node7", "id": "r1", "type": "Status", "contentType": content_type}
    message = json.dumps(said).encode() + b"\n" + data
    collected = asyncio.run(SOURCE.receive(PLAN, message, context=StubContext()))
    assert collected.content is not None
    [child] = collected.content
    return etree.fromstring(child)


def test_the_node_is_followed_and_let_go() -> None:
    context: Any = StubContext()
    remember = asyncio.run(SOURCE.establish(PLAN, context=context))
    assert context.consumers.reports == [("node7", "Status")]
    context.memory = remember
    assert asyncio.run(SOURCE.collect(PLAN, context=context)).content is None
    asyncio.run(SOURCE.release(PLAN, context=context))
    assert context.consumers.closed == [remember["consumer"]]


def test_one_that_was_never_followed_says_so() -> None:
    with pytest.raises(CollectError, match="not followed"):
        asyncio.run(SOURCE.collect(PLAN, context=StubContext()))


def test_xml_is_published_as_it_is() -> None:
    found = received(b"\n <s:up xmlns:s='urn:s' s:a='1'>x</s:up>")
    assert (found.tag, found.text, found.get("{urn:s}a")) == ("{urn:s}up", "x", "1")


@pytest.mark.parametrize(
    ("data", "encoding", "text"),
    [
        (b"load 0.5", "text", "load 0.5"),
        (b'{"a": [1, "<&>"]}', "text", '{"a": [1, "<&>"]}'),
        (b"", "text", None),
        (b"\xff", "base64", "/w=="),
        (b"a\0b", "base64", "YQBi"),
        (b"<broken", "text", "<broken"),
        (b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "text", None),
    ],
)
def test_anything_else_is_told_in_a_report_element(
    data: bytes, encoding: str, text: str | None
) -> None:
    found = received(data, "application/json")
    assert found.tag == "{urn:mds-aggregator:reports}Report"
    assert dict(found.attrib) == {
        "node": "node7",
        "type": "Status",
        "id": "r1",
        "contentType": "application/json",
        "encoding": encoding,
    }
    assert found.text == (data.decode() if data.startswith(b"<!") else text)
