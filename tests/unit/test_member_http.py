"""HTTP as the member reads it: heads, and bodies in chunks, whatever the pieces they come in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.member.http_chunks import ChunkedBody
from aggregator.member.http_message import BadMessage, read_head, write_head


def head(*lines: str, first: str = "POST /a?b=c HTTP/1.1") -> bytes:
    """A head with a Host."""
    return "\r\n".join((first, "Host: h", *lines)).encode("latin-1")


def test_a_head_is_read() -> None:
    found = read_head(head("Content-Length: 17", "X-Two:  a\t", "x-two: b", "Expect: 100-Continue"))
    assert (found.method, found.path, found.query) == ("POST", "/a", "b=c")
    assert found.headers["x-two"] == "a, b"
    assert (found.length, found.keep_alive, found.expects_continue) == (17, True, True)


@pytest.mark.parametrize(
    ("first", "path", "query"),
    [
        ("GET http://proxy.example/x?y HTTP/1.1", "/x", "y"),
        ("GET http://proxy.example HTTP/1.1", "/", ""),
        ("GET * HTTP/1.1", "*", ""),
    ],
)
def test_the_target_may_be_a_whole_url(first: str, path: str, query: str) -> None:
    found = read_head(head(first=first))
    assert (found.path, found.query, found.length) == (path, query, 0)


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        ("1.1", "", True),
        ("1.1", "Close", False),
        ("1.1", "te, close", False),
        ("1.0", "", False),
        ("1.0", "Keep-Alive", True),
    ],
)
def test_whether_the_connection_is_kept(version: str, connection: str, kept: bool) -> None:
    lines = [f"Connection: {connection}"] if connection else []
    assert read_head(head(*lines, first=f"GET / HTTP/{version}")).keep_alive is kept


@pytest.mark.parametrize(
    "wrong",
    [
        head(first="GET /"),
        head(first="GET / HTTP/2.0"),
        head(first="GE T / HTTP/1.1"),
        head(first="GET /\x0b HTTP/1.1"),
        b"GET / HTTP/1.1",
        head("NoColon"),
        head("Space : x"),
        head(" folded"),
        head("X: a\x00b"),
        head("X: a\nY: b"),
        head("Host: again"),
        head("Content-Length: 1", "Content-Length: 1"),
        head("Content-Length: +1"),
        head("Content-Length: 1e3"),
        head("Content-Length: \xb2"),
        head("Content-Length: 1", "Transfer-Encoding: chunked"),
        head("Transfer-Encoding: gzip, chunked"),
        head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
        head(*(["X: y"] * 100)),
    ],
)
def test_what_is_ambiguous_or_wrong_is_refused(wrong: bytes) -> None:
    with pytest.raises(BadMessage):
        read_head(wrong)


def chunked(pieces: list[bytes]) -> bytes:
    """A body in chunks."""
    chunks = b"".join(b"%X\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece)
    return chunks + b"0\r\n\r\n"


@given(
    pieces=st.lists(st.binary(max_size=50), max_size=8),
    cuts=st.lists(st.integers(1, 40), min_size=1, max_size=20),
    rest=st.binary(max_size=10),
)
def test_chunks_become_the_body_whatever_pieces_they_come_in(
    pieces: list[bytes], cuts: list[int], rest: bytes
) -> None:
    body, buffer = ChunkedBody(limit=1000), bytearray()
    content = chunked(pieces) + rest
    start, turn = 0, 0
    while True:
        step = cuts[turn % len(cuts)]
        buffer += content[start : start + step]
        start, turn = start + step, turn + 1
        if body.feed(buffer):
            break
        assert start < len(content)
    assert bytes(body.data) == b"".join(pieces)
    assert bytes(buffer) + content[start:] == rest


def test_a_body_over_the_limit_is_not_gathered() -> None:
    body = ChunkedBody(limit=10)
    assert body.feed(bytearray(b"6\r\nabcdef\r\n5\r\n"))
    assert body.is_too_large
    huge = ChunkedBody(limit=10)
    assert huge.feed(bytearray(b"FFFFFFFF\r\n"))
    assert (huge.is_too_large, len(huge.data)) == (True, 0)


@pytest.mark.parametrize(
    "wrong",
    [b"\r\n", b"x\r\n", b"-1\r\n", b"1 2\r\n", b"FFFFFFFFF\r\n", b"1\r\nab\r\n", b"a" * 2000],
)
def test_wrong_chunks_are_refused(wrong: bytes) -> None:
    with pytest.raises(BadMessage):
        ChunkedBody(limit=10).feed(bytearray(wrong))


def test_a_response_tells_its_length_and_whether_the_connection_stays() -> None:
    text = write_head(405, "text/plain", 12, keep_alive=False, extra="Allow: GET\r\n").decode()
    assert text.startswith("HTTP/1.1 405 Method Not Allowed\r\nDate: ")
    assert "\r\nConnection: close\r\nAllow: GET\r\nContent-Length: 12\r\n\r\n" in text
    assert "Connection: keep-alive" in write_head(200, "text/xml", 0, keep_alive=True).decode()
