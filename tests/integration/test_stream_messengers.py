"""Messengers to functions and to HTTP servers."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from aggregator.client.security import Credentials
from aggregator.errors import MessageNotSent, MessageRefused, StreamRefused
from aggregator.streams import Batch, SqliteDataStreamer
from aggregator.streams.destinations import Destinations
from aggregator.streams.messengers import FunctionMessenger
from aggregator.streams.messengers.http import HttpMessenger
from tests import streams_kit
from tests.integration.authority import Authority
from tests.streams_kit import store


@pytest.fixture
def streamer() -> Iterator[SqliteDataStreamer]:
    with streams_kit.logging_to(":memory:") as made:
        yield made


def text_of(rows: list[list[Any]], userdata: Any) -> str:
    """A formatter for messengers of texts."""
    return " ".join(str(row[-1]) for row in rows)


def to_all(streamer: SqliteDataStreamer, **options: Any) -> None:
    streamer.stream(
        "logkey", "n1,n2", {"data"}, ["log", "ü,x\r\n"], 1, **({"formatter": text_of} | options)
    )


@dataclass
class Receiver:
    """What was posted, and how it is answered."""

    url: str = ""
    posts: list[tuple[bytes, Message]] = field(default_factory=list)
    respond: Callable[[], int] = lambda: 204


@contextmanager
def receiver(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = found.respond()
            found.posts.append((body, self.headers))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    scheme = "http" if tls is None else "https"
    found.url = f"{scheme}://127.0.0.1:{server.server_port}/rows?of=node7"
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# A function.


def test_a_function_is_told_of_the_batch(streamer: SqliteDataStreamer) -> None:
    given: list[tuple[Any, Batch]] = []
    ids = store(streamer, "a", "b")
    to_all(streamer)
    streamer.do_updates(1, FunctionMessenger(lambda *both: given.append(both)))
    ((message, batch),) = given
    assert message == "a b"
    assert list(batch.row_ids) == ids
    assert batch.to == Destinations("n1,n2", {"data"}, ["log", "ü,x\r\n"])


def test_a_messenger_of_batches_sends_what_is_of_no_stream_too() -> None:
    given: list[tuple[Any, Batch]] = []
    messenger = FunctionMessenger(lambda *both: given.append(both))
    for _ in range(2):
        messenger.send("hello", "n1", None, ["log"])
    assert [(message, batch.to) for message, batch in given] == [
        ("hello", Destinations("n1", None, ["log"]))
    ] * 2
    assert given[0][1].id != given[1][1].id


# HTTP.


def test_http_posts_each_message_with_a_name_that_stays(streamer: SqliteDataStreamer) -> None:
    statuses = iter([503, 204, 204])
    with receiver() as found:
        found.respond = lambda: next(statuses)
        messenger = HttpMessenger(found.url, content_type="text/plain", token="secret")
        to_all(streamer)
        store(streamer, "a", "ü")
        streamer.do_updates(1, messenger)
        assert streamer.status()[0].last_error == (
            f"MessageNotSent: {found.url.partition('?')[0]}?... answered with HTTP status 503"
        )
        streamer.do_updates(2, messenger)
        store(streamer, "c")
        streamer.do_updates(3, messenger)
    bodies = [body.decode() for body, _ in found.posts]
    assert bodies == ["a ü", "a ü", "c"]
    first, again, other = (headers for _, headers in found.posts)
    assert first["Idempotency-Key"] == again["Idempotency-Key"] != other["Idempotency-Key"]
    assert first["Content-Type"] == "text/plain"
    assert first["Authorization"] == "Bearer secret"
    assert first["Stream-Nodes"] == "n1,n2"
    assert first["Stream-Groups"] == "data"
    assert first["Stream-Docks"] == "log,%C3%BC%2Cx"
    assert (first["Stream-Rows"], other["Stream-Rows"]) == ("2", "1")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, MessageRefused),
        (413, MessageRefused),
        (422, MessageRefused),
        (302, MessageNotSent),
        (401, MessageNotSent),
        (404, MessageNotSent),
        (429, MessageNotSent),
        (431, MessageNotSent),
        (500, MessageNotSent),
    ],
)
def test_http_tells_what_is_at_fault_from_what_may_pass(status: int, error: type) -> None:
    with receiver() as found:
        found.respond = lambda: status
        with pytest.raises(MessageNotSent, match=f"HTTP status {status}") as raised:
            HttpMessenger(found.url).send(b"x", None, None, None)
    assert type(raised.value) is error
    assert len(found.posts) == 1


def test_http_without_an_answer_is_told(streamer: SqliteDataStreamer) -> None:
    with receiver() as found:
        gone = HttpMessenger(found.url, timeout=2)
    with pytest.raises(MessageNotSent, match="gave no reply"):
        gone.send("x", None, None, None)


def test_https_is_verified_and_shows_who_sends(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("receiver", address="127.0.0.1")
    mine = authority.issue("node7")
    with receiver(authority.server_context(pair, clients=True)) as found:
        with pytest.raises(MessageNotSent, match="certificate"):
            HttpMessenger(found.url).send("x", None, None, None)
        HttpMessenger(
            found.url, ca=authority.file, credentials=Credentials(mine.cert, mine.key)
        ).send("x", None, None, None)
    assert [body for body, _ in found.posts] == [b"x"]


def test_no_message_tells_what_an_address_holds_of_secrets() -> None:
    with receiver() as found:
        address = found.url.replace("//", "//user:geheim@").replace("of=node7", "key=geheim")
        found.respond = lambda: 500
        with pytest.raises(MessageNotSent, match="HTTP status 500") as raised:
            HttpMessenger(address).send("x", None, None, None)
    assert "geheim" not in str(raised.value)
    with pytest.raises(MessageNotSent, match="gave no reply") as raised:
        HttpMessenger(address, timeout=2).send("x", None, None, None)
    assert "geheim" not in str(raised.value)
    with pytest.raises(StreamRefused) as refused:
        HttpMessenger("ftp://user:geheim@host/")
    assert "geheim" not in str(refused.value)


def test_http_hangs_no_longer_than_it_may() -> None:
    ending = threading.Event()
    with receiver() as found:
        found.respond = lambda: 204 if ending.wait(20) else 500
        with pytest.raises(MessageNotSent, match=r"did not answer within 1 s"):
            HttpMessenger(found.url, timeout=1).send("x", None, None, None)
        ending.set()


def test_http_sends_texts_and_bytes_and_refuses_the_rest() -> None:
    with receiver() as found:
        messenger = HttpMessenger(found.url)
        for message in ("é", b"\0\xff", bytearray(b"x")):
            messenger.send(message, None, None, None)
        for wrong in ({"a": 1}, None, "\ud800"):
            with pytest.raises(MessageRefused):
                messenger.send(wrong, None, None, None)
    assert [body for body, _ in found.posts] == ["é".encode(), b"\0\xff", b"x"]


@pytest.mark.parametrize(
    "options",
    [
        {"url": "ftp://host/x"},
        {"url": "host"},
        {"url": None},
        {"token": "a\r\nX-Evil: 1"},
        {"content_type": "text/plain\n"},
        {"timeout": 0},
    ],
)
def test_http_that_can_not_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(StreamRefused):
        HttpMessenger(**({"url": "http://127.0.0.1/"} | options))
