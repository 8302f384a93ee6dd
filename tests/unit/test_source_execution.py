"""What the execution source makes of a registration and of what a probe prints."""

from __future__ import annotations

import asyncio

import pytest

from aggregator.contract import ConfigBlock, Group
from aggregator.errors import CollectError, ConfigError
from aggregator.model import Plan
from aggregator.registry.plugins import find_plugins
from aggregator.registry.selection import select_source
from aggregator.testing import StubContext, member
from aggregator.wire.epr import EndpointReference
from aggregator.wire.namespaces import AGG
from aggregator.wire.parse import parse

SOURCE = find_plugins().source("ExecutionAggregatorSource").source  # type: ignore[union-attr]


def plan(name: str, address: str = "http://member.example.org/") -> Plan:
    asked: list[str] = []

    def resolve(wanted: str) -> str:
        asked.append(wanted)
        return wanted.lower()

    config = parse(
        f'<agg:AggregatorConfig xmlns:agg="{AGG}"><agg:ExecutionPollType><agg:PollIntervalMillis>'
        f"1000</agg:PollIntervalMillis><agg:ProbeName>{name}</agg:ProbeName>"
        "</agg:ExecutionPollType></agg:AggregatorConfig>".encode()
    )
    selected = select_source(config, find_plugins())
    assert selected is not None
    block = ConfigBlock(selected[1], config, EndpointReference(address), "gt4")
    made = SOURCE.check(block, group=Group("G", 1, resolve_probe=resolve))
    assert made.data["probe"] == asked[0].lower()
    return made


def run(printed: bytes) -> tuple[tuple[bytes, ...], dict[str, object]]:
    """Content of a run that prints this, and what the probe was given."""
    given: dict[str, object] = {}

    async def run_probe(name: str, **rest: object) -> bytes:
        given.update(rest, name=name)
        return printed

    context = StubContext(run_probe=run_probe)
    collected = asyncio.run(SOURCE.collect(plan("a:Probe"), context=context))
    return collected.content, given


@pytest.mark.parametrize(
    ("name", "probe"),
    [
        ("ping-test", "ping-test"),
        ("aggr:ping-test", "ping-test"),
        (" \n aggr:sub/Ping \t", "sub/ping"),
        ("<!-- the probe -->ping-test", "ping-test"),
    ],
)
def test_the_prefix_of_the_name_says_nothing(name: str, probe: str) -> None:
    assert plan(name).data["probe"] == probe


@pytest.mark.parametrize("address", ["ftp://host/", "-oProxyCommand=x", "host", "http://a b/"])
def test_only_web_addresses_become_an_argument(address: str) -> None:
    with pytest.raises(ConfigError, match="MemberEPR"):
        plan("ping-test", address)


def test_the_probe_gets_the_member_and_its_document_is_published() -> None:
    content, given = run(b'<?xml version="1.0"?>\n<!-- x --><a xmlns="urn:a" xmlns:b="b">1</a>\n')
    assert content == (b'<a xmlns="urn:a" xmlns:b="b">1</a>',)
    assert given == {
        "name": "probe",
        "address": "http://member.example.org/",
        "epr": member().epr_xml,
        "config": b"<c/>",
    }


@pytest.mark.parametrize(
    ("printed", "code"),
    [
        (b"", "no-output"),
        (b" \n\t", "no-output"),
        (b"OK - all is well", "not-xml"),
        (b"<a/><b/>", "not-xml"),
        (b"<a>", "not-xml"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "not-xml"),
    ],
)
def test_what_is_not_one_document_fails_this_tick(printed: bytes, code: str) -> None:
    with pytest.raises(CollectError) as caught:
        run(printed)
    assert caught.value.code == code
