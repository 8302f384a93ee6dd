"""Requests that are answered in steps, by whoever has a connection in hand."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from gunicorn.config import Config

from aggregator.run.connection import Connection
from aggregator.run.exchange import Exchanges, Outcome
from aggregator.waiting import AT_ONCE, Later, Pending, WouldWait

REQUEST = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
Application = Callable[[Any, Any], Iterable[bytes]]


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        sock, address = listener.accept()
    connection = Connection(sock, client=address, server=sock.getsockname(), most_body=1_000_000)
    with client, sock:
        client.settimeout(5)
        yield connection, client


def arrived(connection: Connection, data: bytes = REQUEST) -> Connection:
    assert connection.arriving.take(data)
    return connection


def exchanges(application: Application) -> Exchanges:
    def refuse(*_: object) -> None:
        raise AssertionError

    return Exchanges(application, config=Config(), is_ending=lambda: False, refuse=refuse)


def told(start: Any, text: bytes) -> list[bytes]:
    start("200 OK", [("Content-Length", str(len(text)))])
    return [text]


def test_what_waits_for_nothing_is_answered_at_once(
    pair: tuple[Connection, socket.socket],
) -> None:
    connection, client = pair
    asked = []

    def application(environ: Any, start: Any) -> Iterable[bytes]:
        asked.append(environ[AT_ONCE])
        return told(start, b"here")

    made = exchanges(application)
    assert made.answer_at_once(arrived(connection)) is Outcome.KEPT
    assert client.recv(1000).endswith(b"\r\n\r\nhere")
    assert made.answer(arrived(connection)) is Outcome.KEPT
    assert client.recv(1000).endswith(b"\r\n\r\nhere")
    assert asked == [True, False]


def test_what_has_to_wait_is_gone_on_with_by_a_thread_that_may(
    pair: tuple[Connection, socket.socket],
) -> None:
    connection, client = pair
    here = threading.get_ident()
    by: list[int] = []

    def application(environ: Any, start: Any) -> Iterable[bytes]:
        def later() -> list[bytes]:
            by.append(threading.get_ident())
            assert environ[AT_ONCE] is False
            return told(start, b"later")

        return Later(later)

    made = exchanges(application)
    assert made.answer_at_once(arrived(connection)) is None
    assert by == []
    outcomes = []
    thread = threading.Thread(target=lambda: outcomes.append(made.answer(connection)))
    thread.start()
    thread.join()
    assert outcomes == [Outcome.KEPT]
    assert by != [here]
    assert client.recv(1000).endswith(b"\r\n\r\nlater")


def test_what_is_pending_is_left_and_gone_on_with_once(
    pair: tuple[Connection, socket.socket],
) -> None:
    connection, client = pair
    calls: list[Callable[[], None]] = []
    answers = []

    def application(environ: Any, start: Any) -> Iterable[bytes]:
        def answer() -> list[bytes]:
            answers.append(1)
            return told(start, b"done")

        return Pending(answer, when_done=calls.append, patience=3.0)

    made = exchanges(application)
    assert made.answer_at_once(arrived(connection)) is Outcome.PENDING
    assert connection.pending is not None
    assert connection.pending.patience == 3.0
    assert answers == []
    connection.pending = None
    assert made.answer_at_once(connection) is Outcome.KEPT
    assert answers == [1]
    assert client.recv(1000).endswith(b"\r\n\r\ndone")


def test_a_long_request_and_the_rest_of_a_long_reply_are_for_threads(
    pair: tuple[Connection, socket.socket],
) -> None:
    connection, client = pair
    many = [b"x" * 65536] * 200

    def application(environ: Any, start: Any) -> Iterable[bytes]:
        start("200 OK", [("Content-Length", str(200 * 65536))])
        return many

    made = exchanges(application)
    body = b"y" * 20_000
    long = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n" + body
    assert made.answer_at_once(arrived(connection, long)) is None
    assert connection.exchange is None
    connection.arriving.release()
    connection.arriving.put_back(b"")
    taken = bytearray()

    def take() -> None:
        while len(taken) < 200 * 65536 and (piece := client.recv(2**20)):
            taken.extend(piece)

    thread = threading.Thread(target=take)
    thread.start()
    outcome = made.answer_at_once(arrived(connection))
    # A client that takes all of it is given no more than its share; one that does not, waits.
    assert outcome in (None, Outcome.BLOCKED)
    while outcome in (None, Outcome.BLOCKED):
        outcome = made.answer(connection)
    thread.join(10)
    assert outcome is Outcome.KEPT
    assert taken.endswith(b"x" * 65536)


def test_a_reply_that_waits_while_it_is_sent_ends_its_connection_and_nothing_else(
    pair: tuple[Connection, socket.socket],
) -> None:
    connection, _ = pair

    def application(environ: Any, start: Any) -> Iterable[bytes]:
        start("200 OK", [])
        yield b"begun"
        raise WouldWait

    assert exchanges(application).answer_at_once(arrived(connection)) is Outcome.BROKEN
