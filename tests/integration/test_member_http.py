"""A member over HTTP: what can't be read, limits, chunks, kept connections, pages for people."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator

import pytest
from lxml import etree

from tests import soap
from tests.integration.member_kit import RunningMember, member, raw, receive

DOCUMENT = f'<rp:GetResourcePropertyDocument xmlns:rp="{soap.NS["gt4"]["rp"]}"/>'
RP = soap.NS["oasis"]["rp"]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMember]:
    """A member that publishes its host."""
    with member(tmp_path_factory.mktemp("member")) as running:
        yield running


BAD = [
    (b"hello", "not well-formed"),
    (b"", "not well-formed"),
    (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "DOCTYPE"),
    (b"<a/>", "not an Envelope"),
    (soap.envelope("<a>" * 200 + "</a>" * 200), "nested"),
    (soap.envelope(""), "Body is empty"),
]


@pytest.mark.parametrize(("content", "words"), BAD)
def test_bad_input_gets_a_fault(host: RunningMember, content: bytes, words: str) -> None:
    answer = soap.post(host.url, content)
    assert answer.status == 500
    assert words in "".join(answer.body.itertext())


def test_what_can_not_be_read_is_refused_in_the_soap_version_of_its_media_type(
    host: RunningMember,
) -> None:
    answer = soap.post(host.url, b"hello", headers={"Content-Type": "application/soap+xml"})
    assert answer.status == 400
    assert etree.fromstring(answer.content).tag == f"{{{soap.SOAP12}}}Envelope"


def test_a_body_over_the_limit_is_refused_before_it_is_read(host: RunningMember) -> None:
    head = "POST {} HTTP/1.1\r\nHost: h\r\nContent-Type: text/xml\r\n{}\r\n\r\n"
    path = "/wsrf/services/HostService"
    by_length = head.format(path, "Content-Length: 100000000").encode()
    for sent in (by_length, by_length.replace(b"Host:", b"Expect: 100-continue\r\nHost:")):
        answer = raw(host, sent)
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert b"100 Continue" not in answer
        assert b"larger than 4194304 bytes" in answer
        assert b"Connection: close" in answer
    chunks = b"".join(b"10000\r\n" + b"x" * 65536 + b"\r\n" for _ in range(70))
    chunked = head.format(path, "Transfer-Encoding: chunked").encode() + chunks
    assert b"larger than 4194304 bytes" in raw(host, chunked)


def test_chunked_bodies_and_continue_are_understood(host: RunningMember) -> None:
    body = soap.envelope(DOCUMENT)
    head = (
        b"POST /wsrf/services/HostService HTTP/1.1\r\nHost: h\r\nContent-Type: text/xml\r\n"
        b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(host.address, timeout=10) as link:
        link.sendall(head)
        assert receive(link, silence=0.5) == b"HTTP/1.1 100 Continue\r\n\r\n"
        for start in range(0, len(body), 37):
            piece = body[start : start + 37]
            link.sendall(b"%x;ext=1\r\n%s\r\n" % (len(piece), piece))
        link.sendall(b"0\r\nTrailer: x\r\n\r\n")
        answer = receive(link)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"GetResourcePropertyDocumentResponse" in answer


def test_a_connection_is_kept_and_pipelined_requests_are_answered_in_order(
    host: RunningMember,
) -> None:
    requests = b""
    for expression in ("'first'", "'second'"):
        query = f"<rp:QueryExpression>{expression}</rp:QueryExpression>"
        name = "QueryResourceProperties"
        body = soap.envelope(f'<rp:{name} xmlns:rp="{RP}">{query}</rp:{name}>')
        requests += b"POST /wsrf/services/HostService HTTP/1.1\r\nHost: h\r\n"
        requests += b"Content-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    requests += b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    answer = raw(host, requests)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.index(b">first<") < answer.index(b">second<") < answer.index(b"\r\n\r\nok")


def test_pages_for_people_name_the_public_address(host: RunningMember) -> None:
    connection = http.client.HTTPConnection(*host.address, timeout=10)
    manager = host.url.replace("HostService", "SubscriptionManagerService")
    for path, status, words in (
        ("/", 200, host.url),
        ("/healthz", 200, "ok"),
        ("/wsrf/services/HostService", 200, "GetResourcePropertyDocument"),
        ("/wsrf/services/HostService/n1?wsdl", 200, f'location="{host.url}/n1"'),
        ("/wsrf/services/HostService?wsdl=gt4", 200, "2004/06"),
        ("/wsrf/services/HostService?wsdl=x", 404, "wsdl=gt4"),
        ("/wsrf/services/SubscriptionManagerService", 200, "Renew, Unsubscribe, "),
        ("/wsrf/services/SubscriptionManagerService/n1", 200, "Renew, Unsubscribe, "),
        ("/wsrf/services/SubscriptionManagerService/n1?wsdl", 200, f'location="{manager}/n1"'),
        ("/wsrf/services/SubscriptionManagerService?wsdl=gt4", 200, "2004/06"),
        ("/wsrf/services/SubscriptionManagerService?wsdl=x", 404, "wsdl=gt4"),
        ("/schemas/oasis/rp-2.xsd", 200, "http://docs.oasis-open.org/wsrf/rp-2"),
        ("/schemas/../../../etc/passwd", 404, "no such schema"),
        ("/nothing", 404, host.url),
    ):
        connection.request("GET", path, headers={"Host": "evil.example"})
        reply = connection.getresponse()
        content = reply.read().decode()
        assert (reply.status, words in content) == (status, True), (path, content)
        assert "evil.example" not in content
    connection.request("HEAD", "/")
    assert connection.getresponse().read() == b""
    connection.request("DELETE", "/")
    refused = connection.getresponse()
    assert (refused.status, refused.getheader("Allow")) == (405, "GET, HEAD, POST")
    connection.close()
