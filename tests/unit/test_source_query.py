"""What the query source sends."""

from __future__ import annotations

import asyncio

import pytest
from lxml import etree

from aggregator.contract import HttpReply
from aggregator.errors import CollectError, ConfigError
from aggregator.testing import ScriptedHttp, StubContext
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import DIALECTS, GT4, OASIS, Dialect
from aggregator.wire.envelope import read_envelope
from aggregator.wire.epr import EndpointReference
from aggregator.wire.parse import parse
from tests.unit.query_source_kit import (
    ADDRESS,
    ONE,
    SEVERAL,
    SOURCE,
    XPATH,
    fault,
    plan,
    poll,
    reply,
)


def asked(http: ScriptedHttp, turn: int = 0) -> etree._Element:
    """The Body's child of a request."""
    return read_envelope(parse(http.asked[turn][1])).body


def qname(element: etree._Element) -> str:
    """What a QName in text means where it stands."""
    prefix, _, local = (element.text or "").rpartition(":")
    return f"{{{element.nsmap[prefix or None]}}}{local}"


class TestRequest:
    def test_one_property_in_the_dialect_of_the_epr(self) -> None:
        made = plan(ONE.format(scope='xmlns:w="http://widgets.com/?a&amp;b"', name=" w:foo "))
        content, memory, http = poll(made, lambda body: reply("<w/>"))
        assert parse(content[0]).tag == "w"
        assert memory == {"dialect": "gt4"}
        url, _, headers = http.asked[0]
        assert url == ADDRESS
        assert headers["SOAPAction"] == (
            '"http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-ResourceProperties/'
            'GetResourceProperty"'
        )
        body = asked(http)
        assert body.tag == ns.clark(GT4.rp, "GetResourceProperty")
        assert qname(body) == "{http://widgets.com/?a&b}foo"

    def test_addressing_headers_and_their_uniqueness(self) -> None:
        made = plan(ONE.format(scope='xmlns:w="urn:w"', name="w:foo"))
        ids = set()
        for _ in range(2):
            _, _, http = poll(made, lambda body: reply(""))
            addressing = read_envelope(parse(http.asked[0][1])).addressing
            assert addressing.to == ADDRESS
            assert addressing.namespace == ns.WSA_2004_03
            assert addressing.action in http.asked[0][2]["SOAPAction"]
            ids.add(addressing.message_id)
        assert len(ids) == 2

    def test_references_are_copied_into_the_header(self) -> None:
        key = b'<g:Key xmlns:g="urn:g" xmlns:q="urn:q" a="&lt;">q:one</g:Key>'
        epr = EndpointReference(ADDRESS, properties=(key,), parameters=(b"<p/>",))
        made = plan(ONE.format(scope='xmlns:w="urn:w"', name="w:foo"), epr=epr)
        _, _, http = poll(made, lambda body: reply("", dialect="oasis"))
        headers = read_envelope(parse(http.asked[0][1])).headers[-2:]
        assert [header.tag for header in headers] == ["{urn:g}Key", "p"]
        marked = ns.clark(ns.WSA_2005_08, "IsReferenceParameter")
        assert [header.get(marked) for header in headers] == ["true", "true"]
        assert headers[0].nsmap["q"] == "urn:q"
        assert (headers[0].text, headers[0].get("a")) == ("q:one", "<")

    def test_several_properties_without_limit(self) -> None:
        names = "".join(
            f"<agg:ResourcePropertyNames>w:p{n}</agg:ResourcePropertyNames>" for n in range(500)
        )
        made = plan(SEVERAL.format(scope='xmlns:w="urn:w"', names=names))
        content, _, http = poll(
            made,
            lambda body: reply("<a/><b/>text<c/>", operation="GetMultipleResourceProperties"),
        )
        assert len(content) == 3
        properties = list(asked(http))
        assert {child.tag for child in properties} == {ns.clark(GT4.rp, "ResourceProperty")}
        assert [qname(child) for child in properties] == [f"{{urn:w}}p{n}" for n in range(500)]

    @pytest.mark.parametrize("dialect", ["Dialect", "agg:Dialect"])
    def test_a_query_takes_its_prefixes_along(self, dialect: str) -> None:
        scope = 'xmlns:rp="urn:mine" xmlns:w="urn:w" xmlns="urn:default"'
        block = XPATH.format(
            scope=scope, dialect=dialect, xpath=ns.XPATH_1, expression=" //w:a[@rp:x &lt; 5] "
        )
        _, _, http = poll(
            plan(block), lambda body: reply("<a/>", operation="QueryResourceProperties")
        )
        expression = asked(http)[0]
        assert expression.tag == ns.clark(GT4.rp, "QueryExpression")
        assert (expression.text, expression.get("Dialect")) == ("//w:a[@rp:x < 5]", ns.XPATH_1)
        assert expression.nsmap["rp"] == "urn:mine"
        assert expression.nsmap["w"] == "urn:w"
        assert None not in expression.nsmap

    @pytest.mark.parametrize(("given", "wanted"), [(GT4, OASIS), (OASIS, GT4)])
    def test_names_of_wsrf_are_translated_to_the_members_dialect(
        self, given: Dialect, wanted: Dialect
    ) -> None:
        made = plan(
            ONE.format(scope=f'xmlns:sg="{given.sg}"', name="sg:Entry"),
            more=f'<d:Dialect xmlns:d="urn:mds-aggregator:source">{wanted.name}</d:Dialect>',
        )
        _, _, http = poll(made, lambda body: reply("", dialect=wanted.name))
        assert qname(asked(http)) == ns.clark(wanted.sg, "Entry")

    def test_a_name_in_no_namespace(self) -> None:
        made = plan(ONE.format(scope="", name="plain"))
        _, _, http = poll(made, lambda body: reply(""))
        assert asked(http).text == "plain"


class TestDialects:
    made = plan(ONE.format(scope='xmlns:w="urn:w"', name="w:foo"))

    @staticmethod
    def speaks(name: str, body: bytes) -> HttpReply:
        return reply("<ok/>", dialect=name) if DIALECTS[name].rp.encode() in body else fault()

    def test_another_is_tried_and_remembered(self) -> None:
        _, memory, http = poll(self.made, lambda body: self.speaks("oasis", body))
        assert memory == {"dialect": "oasis"}
        assert len(http.asked) == 2
        _, memory, http = poll(self.made, lambda body: self.speaks("oasis", body), **memory)
        assert (memory, len(http.asked)) == ({}, 1)

    def test_one_that_changed_is_found_out_again(self) -> None:
        _, memory, http = poll(self.made, lambda body: self.speaks("gt4", body), dialect="oasis")
        assert (memory, len(http.asked)) == ({"dialect": "gt4"}, 2)

    def test_a_fault_of_the_dialect_ends_the_search(self) -> None:
        detail = f'<f:InvalidResourcePropertyQNameFault xmlns:f="{GT4.rp}"/>'
        http = ScriptedHttp(lambda url, body: fault(detail))
        with pytest.raises(CollectError, match="InvalidResourcePropertyQNameFault") as caught:
            asyncio.run(SOURCE.collect(self.made, context=StubContext(http=http)))
        assert (caught.value.code, len(http.asked)) == ("fault", 1)

    def test_where_none_is_understood_the_first_fault_is_told(self) -> None:
        answers = iter([fault(text="one"), fault(text="two"), fault(text="three")])
        http = ScriptedHttp(lambda url, body: next(answers))
        with pytest.raises(CollectError, match="a fault: one") as caught:
            asyncio.run(SOURCE.collect(self.made, context=StubContext(http=http)))
        assert caught.value.code == "fault"

    def test_trouble_on_the_way_is_no_question_of_dialect(self) -> None:
        http = ScriptedHttp(lambda url, body: CollectError("away", code="connection"))
        with pytest.raises(CollectError, match="away"):
            asyncio.run(SOURCE.collect(self.made, context=StubContext(http=http)))
        assert len(http.asked) == 1

    def test_two_are_refused(self) -> None:
        twice = '<d:Dialect xmlns:d="urn:mds-aggregator:source">gt4</d:Dialect>' * 2
        with pytest.raises(ConfigError, match="'gt4, gt4' is unknown"):
            plan(ONE.format(scope='xmlns:w="urn:w"', name="w:foo"), more=twice)
