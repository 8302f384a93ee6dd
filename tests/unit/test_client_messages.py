"""What the client sends and what it makes of what comes back."""

from __future__ import annotations

import pytest

from aggregator.client import bodies
from aggregator.client.replies import describe, read_reply
from aggregator.client.resource import dialect_of
from aggregator.client.soap import request_headers
from aggregator.client.spoken import candidates
from aggregator.client.transport import Reply
from aggregator.errors import AddRefused, ConfigError, RemoteError, RemoteFault
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import ADD, FAMILIES, GT4, OASIS, Dialect
from aggregator.wire.envelope import SOAP11, SOAP12, SoapVersion, write_envelope
from aggregator.wire.epr import EndpointReference, entry_key, read_epr
from aggregator.wire.faults import write_fault
from aggregator.wire.parse import DEFAULT_LIMITS, Element, parse
from aggregator.wire.qnames import read_qname

URL = "http://index:8080/wsrf/services/DefaultIndexService"
KEY = "{urn:widgets}Key"
CONTENT = (
    f'<Content xmlns="{ns.SGC}" xmlns:xsi="{ns.XSI}" xmlns:agg="{ns.AGG}" xmlns:ns0="urn:ns0"'
    ' xmlns:w="http://widgets.com" xsi:type="agg:AggregatorContent">'
    "<agg:AggregatorConfig><agg:GetResourcePropertyPollType>"
    "<agg:ResourcePropertyName>w:foo</agg:ResourcePropertyName>"
    "<agg:ResourcePropertyName>ns0:bar</agg:ResourcePropertyName>"
    "</agg:GetResourcePropertyPollType></agg:AggregatorConfig></Content>"
).encode()
both = pytest.mark.parametrize("dialect", FAMILIES, ids=lambda dialect: dialect.name)


def answered(body: bytes, *, status: int = 200, media: str = "text/xml; charset=utf-8") -> Element:
    reply = Reply(status, media, body)
    return read_reply(URL, reply, limits=DEFAULT_LIMITS)


@both
def test_add_names_all_in_the_dialect(dialect: Dialect) -> None:
    member = EndpointReference("http://m/", properties=(b'<k:Key xmlns:k="urn:widgets">1</k:Key>',))
    add = parse(bodies.add(member, CONTENT, termination=0, dialect=dialect))
    assert [child.tag for child in add] == [
        ns.clark(dialect.sg, name) for name in ("MemberEPR", "Content", "InitialTerminationTime")
    ]
    assert read_epr(add[0]).wsa == dialect.wsa
    assert read_epr(add[0]).references[0].startswith(b"<k:Key")
    assert add[2].text == "1970-01-01T00:00:00.000Z"


@both
def test_content_keeps_the_prefixes_that_its_text_needs(dialect: Dialect) -> None:
    content = parse(bodies.named_content(CONTENT, dialect=dialect))
    names = [read_qname(node) for node in content.iter(ns.clark(ns.AGG, "ResourcePropertyName"))]
    assert names == ["{http://widgets.com}foo", "{urn:ns0}bar"]


def test_only_the_drafts_have_a_typed_content() -> None:
    name = ns.clark(ns.XSI, "type")
    assert parse(bodies.named_content(CONTENT, dialect=GT4)).get(name) == "agg:AggregatorContent"
    assert parse(bodies.named_content(CONTENT, dialect=OASIS)).get(name) is None


@both
def test_without_an_end_add_names_none(dialect: Dialect) -> None:
    add = parse(
        bodies.add(EndpointReference("http://m/"), CONTENT, termination=None, dialect=dialect)
    )
    assert len(add) == 2


@both
def test_never_is_nil(dialect: Dialect) -> None:
    asked = parse(bodies.set_termination_time(None, dialect=dialect))[0]
    assert asked.get(ns.clark(ns.XSI, "nil")) == "true"
    assert asked.tag == ns.clark(dialect.rl, "RequestedTerminationTime")


@pytest.mark.parametrize("name", ["{http://widgets.com?a=1&b='2'}foo", "bare"])
@both
def test_names_of_properties_resolve_where_they_stand(dialect: Dialect, name: str) -> None:
    assert read_qname(parse(bodies.get_property(name, dialect=dialect))) == name
    asked = parse(bodies.get_properties([name, KEY], dialect=dialect))
    assert [read_qname(node) for node in asked] == [name, KEY]


@both
def test_an_expression_travels_with_its_prefixes(dialect: Dialect) -> None:
    body = bodies.query_properties(
        "//q:a[. < 1 and @b='&']",
        query_dialect=ns.XPATH_1,
        prefixes={"q": "urn:q", "rp": "urn:other"},
        dialect=dialect,
    )
    expression = parse(body)[0]
    assert expression.tag == ns.clark(dialect.rp, "QueryExpression")
    assert expression.text == "//q:a[. < 1 and @b='&']"
    assert expression.get("Dialect") == ns.XPATH_1
    assert expression.nsmap["q"] == "urn:q"
    assert expression.nsmap["rp"] == "urn:other"


@both
def test_headers_address_and_bear_the_references(dialect: Dialect) -> None:
    epr = EndpointReference(URL + "?a&b", properties=(entry_key("g", "k"),))
    sent = write_envelope(
        SOAP11, b"<b/>", headers=request_headers(epr, dialect.action(ADD), dialect)
    )
    header = parse(sent)[0]
    assert header.findtext(ns.clark(dialect.wsa, "To")) == URL + "?a&b"
    assert header.findtext(ns.clark(dialect.wsa, "Action")) == dialect.action(ADD)
    assert (header.findtext(ns.clark(dialect.wsa, "MessageID")) or "").startswith("urn:uuid:")
    key = header.find(ns.clark(ns.INDEX, "ServiceGroupEntryKey"))
    assert key is not None
    marked = key.get(ns.clark(ns.WSA_2005_08, "IsReferenceParameter"))
    assert marked == ("true" if dialect is OASIS else None)


@both
@pytest.mark.parametrize("version", [SOAP11, SOAP12], ids=lambda version: version.name)
def test_a_fault_tells_its_descriptions(dialect: Dialect, version: SoapVersion) -> None:
    error = AddRefused("the group is full", causes=("max_entries is 3",))
    fault = write_fault(error, version=version, dialect=dialect, now=0, operation=ADD)
    with pytest.raises(RemoteFault) as caught:
        answered(write_envelope(version, fault.body), status=fault.status)
    assert caught.value.message == "the group is full: max_entries is 3"
    assert caught.value.code in ("Client", "Sender")
    assert caught.value.detail == ns.clark(dialect.sg, "AddRefusedFault")
    assert describe(caught.value) == "AddRefusedFault: the group is full: max_entries is 3"


def test_a_fault_of_another_make_tells_its_faultstring() -> None:
    body = (
        b"<soapenv:Fault><faultcode>soapenv:Server.userException</faultcode><faultstring>"
        b"java.rmi.RemoteException: \n no such operation</faultstring><detail>"
        b'<h:hostname xmlns:h="http://xml.apache.org/axis/">here</h:hostname></detail>'
        b"</soapenv:Fault>"
    )
    with pytest.raises(RemoteFault) as caught:
        answered(write_envelope(SOAP11, body), status=500)
    assert caught.value.message == "java.rmi.RemoteException: no such operation"
    assert caught.value.code == "Server.userException"


def test_a_fault_without_words_still_has_some() -> None:
    with pytest.raises(RemoteFault, match="the service gave no reason"):
        answered(write_envelope(SOAP11, b"<soapenv:Fault/>"), status=500)


@pytest.mark.parametrize(
    ("status", "media", "body", "told"),
    [
        (200, "text/html", b"<html/>", "HTTP 200 with text/html, not with SOAP"),
        (404, "text/html", b"<html/>", "HTTP 404 with text/html"),
        (302, "text/html", b"<html/>", "redirects are not followed"),
        (202, "", b"", "HTTP 202 without a message"),
        (200, "text/xml", b"<a", "no SOAP message: the document is not well-formed"),
        (200, "text/xml", b"<a/>", "no SOAP message: the root element is a"),
        (200, "text/xml", b"<!DOCTYPE a><a/>", "has a DOCTYPE"),
        (500, "text/xml", write_envelope(SOAP11, b"<a/>"), "HTTP 500 with a, not with a fault"),
    ],
)
def test_what_is_no_reply_is_told_with_the_address(
    status: int, media: str, body: bytes, told: str
) -> None:
    with pytest.raises(RemoteError, match=told) as caught:
        answered(body, status=status, media=media)
    assert URL in str(caught.value)
    assert not isinstance(caught.value, RemoteFault)


def test_a_reply_of_soap_1_2_is_read() -> None:
    media = 'application/soap+xml; charset="utf-8"; action="x"'
    assert answered(write_envelope(SOAP12, b"<a/>"), media=media).tag == "a"


def test_the_dialect_is_chosen_by_what_is_known() -> None:
    draft = EndpointReference(URL, wsa=ns.WSA_2004_03)
    assert dialect_of(draft) is GT4
    assert candidates("gt4", epr=EndpointReference(URL)) == (GT4,)
    assert candidates("auto", epr=draft) == (GT4,)
    assert candidates("auto", hint=ns.GT4_SG) == (GT4,)
    assert candidates("auto", hint=ns.OASIS_RL) == (OASIS,)
    assert candidates("auto", hint=ns.GLUE) == (OASIS, GT4)


def test_an_epr_without_address_is_no_epr() -> None:
    with pytest.raises(ConfigError, match="no Address"):
        read_epr(parse(b"<EndpointReference/>"))
