"""docs/protocol.md says what the code does: its names, limits and examples."""

from __future__ import annotations

import re
from xml.sax.saxutils import unescape

import pytest
from lxml import etree

from aggregator.config import Settings
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import BY_BODY, DIALECTS, FAMILIES, OPERATIONS, Dialect, Operation
from aggregator.wire.envelope import check_understood, read_envelope
from aggregator.wire.epr import MAX_ADDRESS, MAX_EXTENSIONS, read_epr
from aggregator.wire.faults import KINDS, MAX_DESCRIPTION
from aggregator.wire.parse import DEFAULT_LIMITS, parse
from tests.clients.own_schemas import check_against_ours
from tests.shared import complaint
from tests.sources_read import ROOT

PAGE = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"<!-- example: ([\w-]+) -->\n```xml\n(.*?)```", re.DOTALL)
FENCED = re.compile(r"```xml\n(.*?)```", re.DOTALL)
EXAMPLES = dict(EXAMPLE.findall(PAGE))
FILLED = {
    "@GROUP@": "http://127.0.0.1:8080/wsrf/services/DefaultIndexService",
    "@MEMBER@": "http://127.0.0.1:9080/wsrf/services/HostService",
    "@ENTRY@": "http://127.0.0.1:8080/wsrf/services/DefaultIndexServiceEntry/k1",
    "@KEY@": "k1",
}


def filled(text: str) -> bytes:
    for placeholder, value in FILLED.items():
        text = text.replace(placeholder, value)
    assert not re.search("@[A-Z]+@", text)
    return text.encode()


@pytest.mark.parametrize("dialect", FAMILIES, ids=lambda dialect: dialect.name)
def test_namespaces_are_named(dialect: Dialect) -> None:
    for namespace in (dialect.wsa, dialect.sg, dialect.rp, dialect.rl, dialect.bf):
        assert f"`{namespace}`" in PAGE
    assert f"`{dialect.fault_action}`" in PAGE


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_actions_are_named(operation: Operation, dialect: Dialect) -> None:
    if dialect.family in operation.dialects:
        base = "http://docs.oasis-open.org/wsrf/"
        if dialect.family == "gt4":
            base += "2004/06/"
        assert f"`{dialect.action(operation).removeprefix(base)}`" in PAGE


def test_every_fault_is_in_the_table() -> None:
    table = PAGE.partition("## Faults")[2].partition("## What is read")[0]
    for kind in KINDS.values():
        assert kind.name in table


def test_limits_are_those_of_the_code() -> None:
    table = PAGE.partition("| limit | default")[2]
    settings = Settings()
    assert settings.server.max_body == DEFAULT_LIMITS.size == 4 * 2**20
    assert "| 4 MiB | `server.max_body` |" in table
    assert settings.server.max_depth == DEFAULT_LIMITS.depth
    assert f"| {DEFAULT_LIMITS.depth} (256 is the parser's own) | `server.max_depth` |" in table
    assert settings.server.max_nodes == DEFAULT_LIMITS.nodes
    assert f"| {DEFAULT_LIMITS.nodes:,} | `server.max_nodes` |" in table
    assert f"in scope at one element | {DEFAULT_LIMITS.namespaces} |" in table
    assert f"member's address | {MAX_ADDRESS} |" in table
    assert MAX_EXTENSIONS == 2**20
    assert f"| {settings.query.max_expression:,} | `query.max_expression` |" in table
    assert f"| {settings.query.timeout:g} | `query.timeout` |" in table
    assert f"| {settings.query.max_result // 2**20} MiB | `query.max_result` |" in table
    assert f"at most {MAX_DESCRIPTION} characters" in PAGE


@pytest.mark.parametrize("text", FENCED.findall(PAGE), ids=lambda text: text.split()[0][1:])
def test_whatever_looks_like_xml_is(text: str) -> None:
    """Fragments lean on the prefixes of the page."""
    prefixes = {"sg": ns.OASIS_SG, "agg": ns.AGG, "xsi": ns.XSI, "h": ns.HEALTH}
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in prefixes.items())
    assert len(parse(b"<page " + declared.encode() + b">" + filled(text) + b"</page>")) > 0


def test_examples_are_there() -> None:
    wanted = {"add-gt4", "add-oasis", "get-resource-property", "set-termination-time"}
    assert wanted <= set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_what_the_service_reads(name: str) -> None:
    envelope = read_envelope(parse(filled(EXAMPLES[name])))
    check_understood(envelope)
    operation, dialect = BY_BODY[str(envelope.body.tag)]
    check_against_ours(envelope.body)
    if envelope.addressing.action:
        assert envelope.addressing.action == dialect.action(operation)
        assert envelope.addressing.namespace == dialect.wsa
    if operation.name == "Add":
        member = envelope.body.find(ns.clark(dialect.sg, "MemberEPR"))
        assert member is not None
        assert read_epr(member).address == FILLED["@MEMBER@"]
    if operation.name == "SetTerminationTime":
        assert envelope.entry_key() == ("DefaultIndexService", "k1")


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_follow_the_published_schemas(name: str) -> None:
    assert complaint(read_envelope(parse(filled(EXAMPLES[name]))).body) == ""


def test_links_on_the_page_lead_somewhere() -> None:
    headings = re.findall(r"(?m)^#+ (.+)$", unescape(PAGE))
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        if target.startswith("#"):
            assert target[1:] in anchors
        else:
            assert (ROOT / "docs" / target).exists(), target


def replies() -> list[etree._Element]:
    texts = (one for one in FENCED.findall(PAGE) if "xsi:type" not in one.partition(">")[0])
    roots = [etree.fromstring(filled(text)) for text in texts]
    return [root for root in roots if "Envelope" not in str(root.tag)]


def test_replies_on_the_page_are_valid() -> None:
    assert replies()
    for root in replies():
        check_against_ours(root)


def test_replies_on_the_page_follow_the_published_schemas() -> None:
    # That of the archive is nowhere published.
    published = [root for root in replies() if etree.QName(root).namespace != ns.ARCHIVE]
    assert [complaint(root) for root in published] == [""] * len(published)
