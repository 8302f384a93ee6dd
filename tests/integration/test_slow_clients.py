"""Slow clients come to an end, and cost the others no answer."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import soap
from tests.counting import counted
from tests.service import RunningService, running_service
from tests.waiting import until

CONFIG = """
[server]
workers = 1
threads = 8
header_timeout = 1.0
body_timeout = 1.5
reply_timeout = 1.0
"""


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with short times and few threads."""
    folder: Path = tmp_path_factory.mktemp("impatient")
    with running_service(folder, config=CONFIG) as running:
        yield running


def connect(service: RunningService) -> socket.socket:
    parts = urlsplit(service.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=15)


def seconds_until_end(connection: socket.socket) -> float:
    """How long until the service closes the connection."""
    began = time.monotonic()
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(65536):
            pass
    return time.monotonic() - began


def taken_until_reset(connection: socket.socket) -> int:
    """How many bytes of a reply were still there; fails where it does not end with a reset."""
    received = 0
    try:
        while piece := connection.recv(1 << 20):
            received += len(piece)
    except ConnectionResetError:
        return received
    pytest.fail(f"the reply ended in peace after {received} more bytes")


def ended(service: RunningService, limit: str) -> float:
    """How many connections ended because of a limit."""
    return counted(service, "aggregator_connections_ended_total", limit=limit)


@pytest.fixture(scope="module")
def large(impatient: RunningService) -> bytes:
    """A request for a reply of 18 MB, which no buffer holds."""
    filler = soap.IDLE.replace(
        "<agg:PollIntervalMillis>", f"<!--{'x' * 900_000}--><agg:PollIntervalMillis>"
    )
    for number in range(20):
        soap.add(impatient.group, f"http://127.0.0.1:1/{number}", filler)
    rp, sg = soap.NS["oasis"]["rp"], soap.NS["oasis"]["sg"]
    body = soap.envelope(
        f'<rp:GetResourceProperty xmlns:rp="{rp}" xmlns:sg="{sg}">sg:Entry</rp:GetResourceProperty>'
    )
    return begun(impatient, f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n") + body


def begun(service: RunningService, rest: str) -> bytes:
    """A header of a request to the group, with `rest` at its end."""
    return f"POST {urlsplit(service.group).path} HTTP/1.1\r\nHost: x\r\n{rest}".encode()


def test_a_header_that_never_ends_is_ended(impatient: RunningService) -> None:
    before = ended(impatient, "header")
    with connect(impatient) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n")
        assert 0.5 < seconds_until_end(connection) < 6
    assert ended(impatient, "header") == before + 1


def test_a_body_that_never_ends_is_ended_with_a_fault(impatient: RunningService) -> None:
    before = ended(impatient, "body")
    with connect(impatient) as connection:
        connection.sendall(begun(impatient, "Content-Length: 500\r\n\r\n<s:Envelope"))
        began = time.monotonic()
        reply = b""
        while piece := connection.recv(65536):
            reply += piece
        assert 1 < time.monotonic() - began < 6
        assert b"ended after 11 of 500" in reply
    assert ended(impatient, "body") == before + 1


def test_a_trickled_header_is_ended_too(impatient: RunningService) -> None:
    before = ended(impatient, "header")
    with connect(impatient) as connection:
        began = time.monotonic()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(100):
                connection.sendall(b"X")
                time.sleep(0.1)
        assert time.monotonic() - began < 8
    assert ended(impatient, "header") == before + 1


def test_a_trickled_body_is_ended_with_a_fault_too(impatient: RunningService) -> None:
    """The limit is for the whole body: what comes meanwhile is no reason to wait longer."""
    before = ended(impatient, "body")
    with connect(impatient) as connection:
        connection.sendall(begun(impatient, "Content-Length: 500\r\n\r\n"))
        began = time.monotonic()
        sent = 0
        while not select.select([connection], [], [], 0.2)[0]:
            connection.sendall(b"<")
            sent += 1
            assert sent < 50
        assert 1 < time.monotonic() - began < 6
        reply = connection.recv(65536)
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                reply += piece
    assert sent > 3
    assert reply.startswith(b"HTTP/1.1 500 ")
    found = re.search(rb"ended after (\d+) of 500", reply)
    assert found, reply
    assert int(found[1]) in (sent - 1, sent)
    assert ended(impatient, "body") == before + 1


def test_a_reader_that_does_not_read_is_ended(impatient: RunningService, large: bytes) -> None:
    before = ended(impatient, "reply")
    with connect(impatient) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(large)
        until(lambda: ended(impatient, "reply") == before + 1, within=6, what="the end")
        assert taken_until_reset(connection) < 17_000_000


def test_a_reader_that_takes_less_than_a_piece_in_time_is_ended(
    impatient: RunningService, large: bytes
) -> None:
    """It takes a little all the time, but of no piece of 256 KiB as much as it must."""
    before = ended(impatient, "reply")
    with connect(impatient) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(large)
        began = time.monotonic()
        received = 0
        while ended(impatient, "reply") == before:
            piece = connection.recv(1024)
            assert piece
            received += len(piece)
            assert time.monotonic() - began < 6
            time.sleep(0.2)
        assert received > 3 * 1024
        assert received + taken_until_reset(connection) < 17_000_000


def test_a_reader_that_takes_each_piece_in_time_has_the_whole_reply(
    impatient: RunningService, large: bytes
) -> None:
    """However long the reply takes: the limit is for each piece of it."""
    before = ended(impatient, "reply")
    with connect(impatient) as connection:
        connection.sendall(large)
        began = time.monotonic()
        reply = bytearray()
        with connection.makefile("rb") as stream:
            while piece := stream.read(512 * 1024):
                reply += piece
                time.sleep(0.1)
        # More than twice what one piece is given.
        assert time.monotonic() - began > 2.5
    assert len(reply) > 18_000_000
    assert reply.rstrip().endswith(b"Envelope>")
    assert ended(impatient, "reply") == before


def test_silent_connections_cost_no_thread(impatient: RunningService) -> None:
    """Three times as many as there are threads, and an answer all the same."""
    with contextlib.ExitStack() as silent:
        for _ in range(24):
            silent.enter_context(connect(impatient))
        began = time.monotonic()
        assert soap.get_property(impatient.group, "rl:CurrentTime").status == 200
        assert time.monotonic() - began < 0.9
