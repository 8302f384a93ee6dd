"""What a client asks, read from its SOAP message in every dialect."""

from __future__ import annotations

import pytest

from aggregator.errors import (
    InvalidPropertyName,
    InvalidQuery,
    MalformedRequest,
    NotUnderstood,
    RequestError,
    RequestTooLarge,
    UnknownOperation,
    UnknownQueryDialect,
    VersionMismatch,
)
from aggregator.member.requests import Query, Request, read_request
from aggregator.wire.dialects import DIALECTS, GET_PROPERTY
from aggregator.wire.envelope import SOAP11, SOAP12
from tests import soap


def read(content: bytes, *, action: str = "", content_type: str = "text/xml") -> Request:
    """The request as the service reads it."""
    return read_request(content, content_type=content_type, action=action, max_body=50_000)


def ask(name: str, content: str, *, family: soap.Family = "oasis", scope: str = "") -> Request:
    """The request of an operation."""
    rp = soap.NS[family]["rp"]
    return read(soap.envelope(f'<o:{name} xmlns:o="{rp}" {scope}>{content}</o:{name}>'))


def test_a_name_is_resolved_where_it_stands() -> None:
    for content, scope in (
        ("\n p:n\t", 'xmlns:p="urn:p"'),
        ("<!-- why -->p:n", 'xmlns:p="urn:p"'),
    ):
        request = ask("GetResourceProperty", content.replace("<!-- why -->", ""), scope=scope)
        assert request.error is None
        assert request.names == ("{urn:p}n",)
    body = f'<GetResourceProperty xmlns="{soap.NS["gt4"]["rp"]}">n</GetResourceProperty>'
    request = read(soap.envelope(body, soap=soap.SOAP12))
    assert (request.version, request.dialect.name) == (SOAP12, "gt4")
    assert request.names == (f"{{{soap.NS['gt4']['rp']}}}n",)


def test_names_are_asked_for_once_each_in_their_order() -> None:
    names = "".join(
        f"<o:ResourceProperty>p:{name}</o:ResourceProperty>" for name in ("b", "a", "b")
    )
    request = ask("GetMultipleResourceProperties", names, scope='xmlns:p="urn:p"')
    assert request.names == ("{urn:p}b", "{urn:p}a")


def test_an_expression_comes_with_the_prefixes_of_its_element() -> None:
    for dialect in (f'Dialect="{soap.XPATH}"', f'o:Dialect=" {soap.XPATH} "', ""):
        content = f'<o:QueryExpression {dialect} xmlns:x="urn:x"> //x:a </o:QueryExpression>'
        request = ask("QueryResourceProperties", content, scope='xmlns="urn:d"')
        assert request.query is not None
        assert request.query.expression == "//x:a"
        assert dict(request.query.namespaces)["x"] == "urn:x"
        assert None not in dict(request.query.namespaces)


def test_of_two_spellings_in_one_namespace_the_action_decides() -> None:
    body = f'<o:GetResourcePropertyDocument xmlns:o="{soap.NS["oasis"]["rp"]}"/>'
    wsa = soap.NS["oasis"]["wsa"]
    hash_action = f"{soap.NS['oasis']['rp']}#GetResourcePropertyDocument"
    header = f'<a:Action xmlns:a="{wsa}">"{hash_action}"</a:Action>'
    assert read(soap.envelope(body)).dialect is DIALECTS["oasis"]
    assert read(soap.envelope(body, header=header)).dialect is DIALECTS["wsrf-lite"]
    assert read(soap.envelope(body), action=f'"{hash_action}"').dialect is DIALECTS["wsrf-lite"]


STRANGE = f'<x:y xmlns:x="urn:x" s:mustUnderstand="1" xmlns:s="{soap.SOAP11}"/>'
DOCUMENT = f'<o:GetResourcePropertyDocument xmlns:o="{soap.NS["oasis"]["rp"]}"/>'


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", MalformedRequest),
        (b"<a>", MalformedRequest),
        (b"<a/>", VersionMismatch),
        (b"<a>" + b" " * 60_000 + b"</a>", RequestTooLarge),
        (soap.envelope(DOCUMENT, header=STRANGE), NotUnderstood),
        (soap.envelope("<GetResourceProperty>x</GetResourceProperty>"), UnknownOperation),
    ],
)
def test_what_can_not_be_answered_carries_its_error(
    content: bytes, error: type[RequestError]
) -> None:
    assert type(read(content).error) is error


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("GetResourceProperty", "p:n", InvalidPropertyName),
        ("GetResourceProperty", "", InvalidPropertyName),
        ("GetMultipleResourceProperties", "<o:Other/>", MalformedRequest),
        ("QueryResourceProperties", "//x", MalformedRequest),
        ("QueryResourceProperties", '<o:QueryExpression Dialect="urn:x"/>', UnknownQueryDialect),
        ("QueryResourceProperties", "<o:QueryExpression/>", InvalidQuery),
        ("QueryResourceProperties", "<o:QueryExpression>$x</o:QueryExpression>", InvalidQuery),
        (
            "QueryResourceProperties",
            f"<o:QueryExpression>{'/' * 20_000}</o:QueryExpression>",
            InvalidQuery,
        ),
        ("PutResourcePropertyDocument", "", UnknownOperation),
    ],
)
@pytest.mark.parametrize("family", ["gt4", "oasis"])
def test_what_is_wrong_with_an_operation_is_told_in_its_dialect(
    family: soap.Family, name: str, content: str, error: type[RequestError]
) -> None:
    request = ask(name, content, family=family)
    assert type(request.error) is error
    assert request.dialect.family == family
    assert request.error.__traceback__ is None


def test_what_can_not_be_read_is_answered_as_the_http_headers_suggest() -> None:
    draft = (
        '"http://docs.oasis-open.org/wsrf/2004/06/wsrf-WS-ResourceProperties/GetResourceProperty"'
    )
    request = read(b"?", action=draft, content_type="application/soap+xml; charset=utf-8")
    assert (request.version, request.dialect.name) == (SOAP12, "gt4")
    plain = read(b"?")
    assert (plain.version, plain.dialect.name) == (SOAP11, "oasis")


def test_the_charset_of_the_transport_is_followed() -> None:
    body = soap.envelope(
        f'<o:QueryResourceProperties xmlns:o="{soap.NS["oasis"]["rp"]}">'
        "<o:QueryExpression>'é'</o:QueryExpression></o:QueryResourceProperties>"
    )
    latin = body.decode().encode("latin-1")
    request = read(latin, content_type='text/xml; charset="ISO-8859-1"')
    assert request.query == Query("'é'", request.query.namespaces if request.query else ())
    assert isinstance(read(latin).error, MalformedRequest)


def test_the_same_bytes_are_read_once() -> None:
    content = soap.envelope(DOCUMENT, header="<x/>")
    assert read(content) is read(bytes(bytearray(content)))
    assert read(content).operation is not GET_PROPERTY
