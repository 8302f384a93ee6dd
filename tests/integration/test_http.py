"""HTTP as clients of all ages speak it: connections kept and closed, chunks, gzip, odd requests."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests import soap
from tests.databases import DATABASES
from tests.migrated import with_tables
from tests.service import RunningService, running_service
from tests.soap import Answer

XML = {"Content-Type": "text/xml; charset=utf-8"}
ADD = soap.envelope(soap.add_body("http://127.0.0.1:1/m"))
ENTRIES = soap.envelope(
    '<rp:GetResourceProperty xmlns:rp="http://docs.oasis-open.org/wsrf/rp-2" '
    'xmlns:sg="http://docs.oasis-open.org/wsrf/sg-2">sg:Entry</rp:GetResourceProperty>'
)
TIME = ENTRIES.replace(b"sg:Entry", b"rl:CurrentTime").replace(
    b"xmlns:sg", b'xmlns:rl="http://docs.oasis-open.org/wsrf/rl-2" xmlns:sg'
)
OURS = (b"Traceback", b"gunicorn", b"File ", b".py", b"Exception")


@pytest.fixture(scope="module", params=DATABASES)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """A service with enough entries that replies are worth compressing, and a tiny limit."""
    config = "[server]\ngzip_minimum = 2048\nmax_body = '64KiB'\n"
    folder = tmp_path_factory.mktemp("service")
    with (
        with_tables(request.param, folder) as url,
        running_service(folder, config=config, options=["--database", url]) as running,
    ):
        for number in range(5):
            soap.add(running.group, f"http://127.0.0.1:1/{number}")
        yield running


@contextlib.contextmanager
def connect(service: RunningService) -> Iterator[http.client.HTTPConnection]:
    """A connection, closed at the end."""
    parts = urlsplit(service.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
    try:
        yield connection
    finally:
        connection.close()


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: object = None,
    headers: dict[str, str] | None = None,
    **more: bool,
) -> Answer:
    connection.request(method, path, body, headers or {}, **more)  # type: ignore[arg-type]
    reply = connection.getresponse()
    return Answer(reply.status, dict(reply.getheaders()), reply.read())


def raw(service: RunningService, request: bytes) -> bytes:
    """All that comes back on a connection until it is closed."""
    parts = urlsplit(service.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        connection.sendall(request)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received


PATH = "/wsrf/services/DefaultIndexService"


def test_one_connection_serves_many_requests_of_all_kinds(service: RunningService) -> None:
    """A fault, an error and a page leave the connection in step for the next."""
    with connect(service) as connection:
        ask(connection, "GET", "/healthz")
        first = connection.sock
        for _ in range(3):
            assert ask(connection, "POST", PATH, TIME, XML).status == 200
            assert ask(connection, "POST", PATH, b"<nonsense/>", XML).status == 500
            assert ask(connection, "POST", "/nowhere", TIME, XML).status == 500
            chunks = (TIME[at : at + 50] for at in range(0, len(TIME), 50))
            assert ask(connection, "POST", PATH, chunks, XML, encode_chunked=True).status == 200
            assert ask(connection, "GET", "/nowhere").status == 404
            assert ask(connection, "PUT", PATH).status == 405
            assert ask(connection, "HEAD", "/readyz").content == b""
            assert (
                ask(connection, "POST", PATH, TIME, {**XML, "Accept-Encoding": "gzip"}).status
                == 200
            )
            assert connection.sock is first


def test_a_connection_is_closed_where_the_client_asks_for_it(service: RunningService) -> None:
    """strong-soap and Axis wait for the end of the connection, not for the length."""
    for line in ("HTTP/1.1\r\nConnection: close", "HTTP/1.0"):
        head = f"POST {PATH} {line}\r\nHost: x\r\nContent-Length: {len(TIME)}\r\n\r\n"
        fields, _, body = raw(service, head.encode() + TIME).partition(b"\r\n\r\n")
        assert b" 200 OK" in fields
        assert b"connection: close" in fields.lower()
        assert body.endswith(b"</soapenv:Envelope>")


def test_a_client_of_http_1_0_gets_gzip_without_chunks(service: RunningService) -> None:
    head = (
        f"POST {PATH} HTTP/1.0\r\nAccept-Encoding: gzip\r\nContent-Length: {len(ENTRIES)}\r\n\r\n"
    )
    fields, _, body = raw(service, head.encode() + ENTRIES).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in fields.lower()
    assert gzip.decompress(body).endswith(b"</soapenv:Envelope>")


def test_a_client_that_expects_100_continue_is_told_to_go_on(service: RunningService) -> None:
    parts = urlsplit(service.url)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n"
        f"Content-Type: text/xml\r\nContent-Length: {len(TIME)}\r\n\r\n"
    )
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        connection.sendall(head.encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(TIME)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    assert received.startswith(b"HTTP/1.1 200 OK")


def plain_and_packed(
    service: RunningService, method: str, path: str, body: bytes | None = None
) -> tuple[Answer, Answer]:
    with connect(service) as connection:
        headers = XML if body else {}
        plain = ask(connection, method, path, body, headers)
        packed = ask(connection, method, path, body, {**headers, "Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    return plain, packed


def test_large_replies_are_compressed_for_who_takes_it(service: RunningService) -> None:
    plain, packed = plain_and_packed(service, "POST", PATH, ENTRIES)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert len(packed.content) < len(plain.content) / 3
    assert int(plain.headers["Content-Length"]) == len(plain.content)


@pytest.mark.parametrize("path", [f"{PATH}?wsdl", f"{PATH}?wsdl=gt4", "/schemas/oasis/sg-2.xsd"])
def test_documents_are_compressed_too(service: RunningService, path: str) -> None:
    plain, packed = plain_and_packed(service, "GET", path)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert int(packed.headers["Content-Length"]) == len(packed.content) < len(plain.content)


@pytest.mark.parametrize(
    ("path", "body"), [(PATH, TIME), (PATH, b"<nonsense/>"), ("/healthz", None)]
)
def test_small_replies_are_not_compressed(
    service: RunningService, path: str, body: bytes | None
) -> None:
    with connect(service) as connection:
        headers = {**(XML if body else {}), "Accept-Encoding": "gzip"}
        answer = ask(connection, "POST" if body else "GET", path, body, headers)
    assert "Content-Encoding" not in answer.headers
    assert int(answer.headers["Content-Length"]) == len(answer.content) < 2048


@pytest.mark.parametrize(
    ("accepts", "packs"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("*;q=0.1, gzip;q=0.0", False),
        ("identity", False),
        ("", False),
        ("bagzip", False),
    ],
)
def test_gzip_is_sent_to_those_alone_who_take_it(
    service: RunningService, accepts: str, packs: bool
) -> None:
    with connect(service) as connection:
        answer = ask(connection, "POST", PATH, ENTRIES, {**XML, "Accept-Encoding": accepts})
    assert ("Content-Encoding" in answer.headers) == packs


@pytest.mark.parametrize("path", ["/", PATH, f"{PATH}?wsdl", "/healthz", "/metrics", "/nowhere"])
@pytest.mark.parametrize("accepts", ["identity", "gzip"])
def test_head_answers_as_get_without_the_body(
    service: RunningService, path: str, accepts: str
) -> None:
    with connect(service) as connection:
        headers = {"Accept-Encoding": accepts}
        got = ask(connection, "GET", path, headers=headers)
        head = ask(connection, "HEAD", path, headers=headers)
    assert (head.status, head.content) == (got.status, b"")
    changing = {"Date", "Content-Length"} if path == "/metrics" else {"Date"}
    assert {k: v for k, v in head.headers.items() if k not in changing} == {
        k: v for k, v in got.headers.items() if k not in changing
    }


@pytest.mark.parametrize("path", ["/", "/nowhere", "/wsrf/services/", "/wsrf/services/No/Such"])
def test_soap_sent_to_the_wrong_place_is_told_the_right_ones(
    service: RunningService, path: str
) -> None:
    with connect(service) as connection:
        answer = ask(connection, "POST", path, TIME, XML)
    assert answer.status == 500
    name, text = answer.fault
    assert name == "ResourceUnknownFault"
    assert PATH in text


@pytest.mark.parametrize("path", [f"{PATH}/", f"{PATH}?x=1", PATH.replace("I", "%49", 1)])
def test_spellings_of_a_path_are_the_same_place(service: RunningService, path: str) -> None:
    with connect(service) as connection:
        assert ask(connection, "POST", path, TIME, XML).status == 200
        assert ask(connection, "GET", path).status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "FROB"])
def test_other_methods_are_not_allowed(service: RunningService, method: str) -> None:
    with connect(service) as connection:
        answer = ask(connection, method, PATH)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD, POST"


ODD = {
    "a huge header": b"GET / HTTP/1.1\r\nHost: x\r\nX-Large: " + b"x" * 200_000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\n" + b"X-Many: x\r\n" * 3000 + b"\r\n",
    "a huge path": b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "no HTTP": b"hello\r\n\r\n",
    "a header that is none": b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    "a strange version": b"GET / HTTP/7.3\r\nHost: x\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "a length and chunks": b"POST / HTTP/1.1\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a length below zero": b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    "a strange coding": b"POST / HTTP/1.1\r\nTransfer-Encoding: frob\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500 + b"\r\n\r\n",
}


@pytest.mark.parametrize("case", ODD)
def test_what_is_no_proper_http_is_refused_without_a_trace_of_us(
    service: RunningService, case: str
) -> None:
    known = len(service.logs())
    answer = raw(service, ODD[case])
    assert re.match(rb"HTTP/1\.1 4\d\d ", answer) or re.match(rb"HTTP/1\.1 50[15] ", answer)
    assert not any(word in answer.partition(b"\r\n\r\n")[2] for word in OURS)
    assert "Traceback" not in service.logs()[known:]
    assert soap.post(service.group, TIME, headers=XML).status == 200


def test_a_body_over_the_limit_is_told_the_limit_however_it_is_sent(
    service: RunningService,
) -> None:
    large = TIME + b" " * 100_000
    for content in (large, iter([large[:1000], large[1000:]])):
        with connect(service) as connection:
            chunked = content is not large
            answer = ask(connection, "POST", PATH, content, XML, encode_chunked=chunked)
        assert answer.status == 500
        assert "65536" in answer.fault[1]


def test_clients_that_stop_amid_their_body_stop_nobody_else(service: RunningService) -> None:
    parts = urlsplit(service.url)
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n<s:Env"
    stopped = []
    try:
        for _ in range(40):
            stopped.append(socket.create_connection((parts.hostname, parts.port), timeout=20))
            stopped[-1].sendall(head.encode())
        for _ in range(20):
            assert soap.call(service.group, soap.add_body("http://127.0.0.1:1/m"), timeout=5).status
    finally:
        for connection in stopped:
            connection.close()
