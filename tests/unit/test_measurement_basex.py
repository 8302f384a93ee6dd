"""BaseX's protocol as it comes over a connection: in pieces, escaped, cut short."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import pytest

from aggregator.measurement.basex import (
    BasexLoginRefused,
    BasexRefused,
    BasexServer,
    BasexSession,
    BasexUnreachable,
)


@contextmanager
def hearing(*pieces: bytes, most: int = 2**20) -> Iterator[BasexSession]:
    """A session with a server that says these pieces, one after the other, and closes."""
    ours, theirs = socket.socketpair()

    def say() -> None:
        with theirs, suppress(OSError):
            for one in pieces:
                theirs.sendall(one)
                time.sleep(0.002)
            theirs.shutdown(socket.SHUT_WR)
            while theirs.recv(65536):
                pass

    thread = threading.Thread(target=say)
    thread.start()
    with ours:
        yield BasexSession(ours, deadline=time.monotonic() + 10, most=most)
    thread.join()


def in_pieces(data: bytes, size: int) -> Sequence[bytes]:
    """The same, so many bytes at a time."""
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"", ""),
        (b"plain", "plain"),
        (b"a\xff\x00b", "a\0b"),
        (b"\xff\x00", "\0"),
        (b"\xff\xff\xff\x00\xff\xff", "\N{REPLACEMENT CHARACTER}\0\N{REPLACEMENT CHARACTER}"),
        ("å\N{SNOWMAN}".encode(), "å\N{SNOWMAN}"),
    ],
)
def test_a_result_ends_where_it_does(size: int, sent: bytes, expected: str) -> None:
    answer = b"0\0\0" + b"\0\0" * 2 + sent + b"\0\0"
    with hearing(*in_pieces(answer, size)) as session:
        assert session.query("$a", {"a": "x", "b": "y"}) == expected


def test_what_was_refused_has_a_code() -> None:
    error = b"\0\1Stopped at ., 1/4:\n[basex:permission] No permission.\0"
    with hearing(b"0\0\0", error) as session, pytest.raises(BasexRefused) as caught:
        session.query("1")
    assert caught.value.code == "permission"
    with hearing(b"\0no such command\0\1") as session, pytest.raises(BasexRefused) as caught:
        session.command("XYZ")
    assert caught.value.code == ""


def test_a_login_answers_the_question_without_the_password() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"BaseX:1234567890\0\0")
        session = BasexSession(ours, deadline=time.monotonic() + 10, most=100)
        session.log_in("us:er", "secret")
        assert theirs.recv(100) == b"us:er\x009cceed34bfc7bb0a53376574685fda6b\x00"
        theirs.sendall(b"BaseX:1\0\1")
        with pytest.raises(BasexLoginRefused):
            session.log_in("user", "wrong")


@pytest.mark.parametrize("text", ["a\0b", "a\1b", "a\2b"])
def test_texts_that_would_end_others_are_not_sent(text: str) -> None:
    for values in ({"a": text}, {text: "a"}):
        with hearing(b"0\0\0") as session, pytest.raises(BasexRefused, match="no place"):
            session.query("$a", values)
    with hearing() as session, pytest.raises(BasexRefused, match="no place"):
        session.query(text)


@pytest.mark.parametrize(
    "pieces", [(), (b"0",), (b"0\0",), (b"0\0\0",), (b"0\0\0x",), (b"0\0\0x\0",), (b"0\0\0\xff",)]
)
def test_an_answer_that_is_cut_short_is_none(pieces: Sequence[bytes]) -> None:
    with hearing(*pieces) as session, pytest.raises(BasexUnreachable):
        session.query("1")


def test_an_answer_has_an_end() -> None:
    pieces = b"0\0\0", *[b"x" * 1000] * 5
    with (
        hearing(*pieces, most=100) as session,
        pytest.raises(BasexUnreachable, match="more than 100 bytes"),
    ):
        session.query("1")


def test_time_is_up() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        session = BasexSession(ours, deadline=time.monotonic() + 0.1, most=100)
        with pytest.raises(BasexUnreachable, match="in time"):
            session.query("1")
        with pytest.raises(BasexUnreachable, match="in time"):
            session.query("1")


def test_who_shows_a_server_shows_no_password() -> None:
    server = BasexServer(user="somebody", password="secret")
    assert server.shown == "127.0.0.1:1984"
    assert "secret" not in repr(server)
    assert "somebody" not in repr(server)
