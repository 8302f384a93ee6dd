"""What the application is told of a request, against what gunicorn would tell it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser
from gunicorn.http.wsgi import create

from aggregator.run.connection import Connection
from aggregator.run.environment import environ_of
from aggregator.waiting import AT_ONCE

#: Ours alone, gunicorn's alone, and objects that are new each time.
DIFFER = {AT_ONCE, "wsgi.errors", "wsgi.input", "RAW_URI", "SERVER_SOFTWARE"}
DIFFER |= {"wsgi.early_hints", "wsgi.file_wrapper", "wsgi.multithread", "wsgi.multiprocess"}


@pytest.fixture
def connection() -> Iterator[Connection]:
    ours, theirs = socket.socketpair()
    made = Connection.__new__(Connection)
    made.client, made.server = ("192.0.2.1", 4711), ("127.0.0.1", 8080)
    with ours, theirs:
        yield made


REQUESTS = {
    "plain": b"POST /wsrf/services/X HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\n"
    b'Content-Length: 4\r\nSOAPAction: ""\r\n\r\n<a/>',
    "query": b"GET /a%20b/%C3%A4?wsdl=gt4&x=%20 HTTP/1.1\r\nHost: a:80\r\n\r\n",
    "old": b"GET / HTTP/1.0\r\n\r\n",
    "repeated": b"GET / HTTP/1.1\r\nHost: a\r\nAccept: x\r\nAccept: y\r\nAccept: z\r\n\r\n",
    "underscores": b"GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX_A: 2\r\nSCRIPT_NAME: /x\r\n\r\n",
    "forwarded": b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n"
    b"X-Forwarded-For: 10.0.0.1\r\nPATH_INFO: /y\r\nREMOTE_USER: root\r\n\r\n",
    "chunked": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_it_is_that_of_gunicorn_where_nobody_may_speak_for_others(
    name: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SCRIPT_NAME", raising=False)
    cautious, ours = Config(), Config()
    cautious.set("forwarded_allow_ips", "")
    for key, value in (
        ("forwarded_allow_ips", "*"),
        ("forwarder_headers", ""),
        ("secure_scheme_headers", {}),
    ):
        ours.set(key, value)
    expected_of = next(RequestParser(cautious, iter([REQUESTS[name]]), connection.client))
    _, expected = create(expected_of, connection, connection.client, connection.server, cautious)
    request = next(RequestParser(ours, iter([REQUESTS[name]]), connection.client))
    found = environ_of(request, connection, at_once=True)
    assert {k: v for k, v in found.items() if k not in DIFFER} == {
        k: v for k, v in expected.items() if k not in DIFFER
    }
    assert found["wsgi.input"].read() == expected["wsgi.input"].read()
    assert found[AT_ONCE] is True


def test_our_settings_are_the_ones_that_were_compared() -> None:
    from aggregator.config import Settings  # noqa: PLC0415
    from aggregator.run.web import gunicorn_settings  # noqa: PLC0415

    found = gunicorn_settings(Settings(), 5)
    assert found["forwarded_allow_ips"] == "*"
    assert (found["forwarder_headers"], found["secure_scheme_headers"]) == ("", {})
    assert found.get("header_map", "drop") == "drop"
