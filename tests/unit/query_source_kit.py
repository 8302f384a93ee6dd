"""What the tests of the query source share: plans from blocks, and one collection by script."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aggregator.contract import ConfigBlock, Group, HttpReply
from aggregator.model import Plan
from aggregator.registry.plugins import find_plugins
from aggregator.registry.selection import select_source
from aggregator.testing import ScriptedHttp, StubContext
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import DIALECTS
from aggregator.wire.envelope import SOAP11, write_envelope
from aggregator.wire.epr import EndpointReference
from aggregator.wire.parse import parse

GROUP = Group("G", min_interval=1000, resolve_probe=lambda name: name)
ONE = """<agg:GetResourcePropertyPollType {scope}><agg:PollIntervalMillis>5000
</agg:PollIntervalMillis><agg:ResourcePropertyName>{name}</agg:ResourcePropertyName>
</agg:GetResourcePropertyPollType>"""
SEVERAL = """<agg:GetMultipleResourcePropertiesPollType {scope}>
<agg:PollIntervalMillis>5000</agg:PollIntervalMillis>{names}
</agg:GetMultipleResourcePropertiesPollType>"""
XPATH = """<agg:QueryResourcePropertiesPollType {scope}>
<agg:PollIntervalMillis>5000</agg:PollIntervalMillis>
<agg:QueryExpression {dialect}="{xpath}">{expression}</agg:QueryExpression>
</agg:QueryResourcePropertiesPollType>"""
ADDRESS = "http://member.example.org:8080/wsrf/services/X?a=1&b=2"
SOURCE = find_plugins().source("QueryAggregatorSource").source  # type: ignore[union-attr]


def plan(block: str, *, epr: EndpointReference | None = None, more: str = "") -> Plan:
    text = f'<agg:AggregatorConfig xmlns:agg="{ns.AGG}">{block}{more}</agg:AggregatorConfig>'
    config = parse(text.encode())
    selected = select_source(config, find_plugins())
    assert selected is not None
    member = epr or EndpointReference(ADDRESS, wsa=ns.WSA_2004_03)
    return SOURCE.check(ConfigBlock(selected[1], config, member, "gt4"), group=GROUP)


def poll(
    made: Plan, answer: Callable[[bytes], HttpReply | Exception], **memory: str
) -> tuple[tuple[bytes, ...], dict[str, str], ScriptedHttp]:
    """Content and memory of one collection, and what was asked."""
    http = ScriptedHttp(lambda url, body: answer(body))
    context = StubContext(http=http, memory=memory)
    collected = asyncio.run(SOURCE.collect(Plan.loads(made.dumps()), context=context))
    return collected.content, dict(collected.remember), http


def reply(
    inner: str, *, operation: str = "GetResourceProperty", dialect: str = "gt4", status: int = 200
) -> HttpReply:
    namespace = DIALECTS[dialect].rp
    body = f'<r:{operation}Response xmlns:r="{namespace}">{inner}</r:{operation}Response>'
    return HttpReply(status, "text/xml; charset=utf-8", write_envelope(SOAP11, body.encode()))


def fault(detail: str = "", *, text: str = "no") -> HttpReply:
    body = (
        f"<soapenv:Fault><faultcode>soapenv:Client</faultcode><faultstring>{text}</faultstring>"
        f"<detail>{detail}</detail></soapenv:Fault>"
    )
    return HttpReply(500, "text/xml", write_envelope(SOAP11, body.encode()))
