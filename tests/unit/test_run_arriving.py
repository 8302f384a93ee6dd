"""When a request is whole: wherever its bytes are cut, and whatever they are."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.run.arriving import MOST_HEADER, Arriving, Held

MOST = 1000
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
LENGTH = b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length:  5 \r\n\r\nhello"
CHUNKED = (
    b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;name=value\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
)
TRAILERS = CHUNKED[:-2] + b"X-Sum: 5\r\nX-More: y\r\n\r\n"
WHOLE = {"get": GET, "length": LENGTH, "chunked": CHUNKED, "trailers": TRAILERS}


def taken(arriving: Arriving, data: bytes, *, cuts: set[int]) -> list[bool]:
    """What each piece of the data, cut at these places, was answered."""
    places = [0, *sorted(cut for cut in cuts if 0 < cut < len(data)), len(data)]
    return [arriving.take(data[begin:end]) for begin, end in pairwise(places)]


@pytest.mark.parametrize("request_", WHOLE.values(), ids=WHOLE)
@given(cuts=st.sets(st.integers(1, 140)))
def test_a_request_is_whole_with_its_last_byte(request_: bytes, cuts: set[int]) -> None:
    arriving = Arriving(MOST)
    answers = taken(arriving, request_, cuts=cuts)
    assert answers[-1]
    assert not any(answers[:-1])
    assert arriving.release() == request_


@given(
    requests=st.lists(st.sampled_from(list(WHOLE.values())), min_size=1, max_size=4),
    rest=st.binary(max_size=5).filter(lambda piece: b"\n" not in piece),
)
def test_what_comes_behind_begins_the_next_request(requests: list[bytes], rest: bytes) -> None:
    arriving = Arriving(MOST)
    assert arriving.take(b"".join(requests) + rest)
    for number, request in enumerate(requests):
        assert arriving.is_whole()
        arriving.put_back(arriving.release()[len(request) :])
        assert arriving.is_whole() == (number < len(requests) - 1)
    assert arriving.release() == rest


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\nHost: x\n",
        b"x" * (MOST_HEADER + 1),
        b"POST / HTTP/1.1\r\nTransfer-Encoding: frob\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 9000,
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: none\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999\r\n\r\n" + bytes(MOST + 1),
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n" + bytes(MOST + 1),
    ],
    ids=range(10),
)
def test_what_will_never_be_a_request_is_handed_over_at_once(data: bytes) -> None:
    assert Arriving(MOST).take(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999\r\n\r\n" + bytes(MOST),
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n" + bytes(MOST),
        CHUNKED[:-1],
        TRAILERS[:-1],
    ],
    ids=range(6),
)
def test_what_may_become_one_is_waited_for(data: bytes) -> None:
    assert not Arriving(MOST).take(data)


def test_tiny_chunks_are_not_waited_for_without_end() -> None:
    arriving = Arriving(MOST)
    arriving.take(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    sent = 0
    while not arriving.take(b"1\r\nx\r\n"):
        sent += 1
    assert sent <= MOST


@pytest.mark.parametrize(
    ("line", "expecting"),
    [
        (b"POST / HTTP/1.1\r\nExpect: 100-Continue", True),
        (b"POST / HTTP/1.0\r\nExpect: 100-continue", False),
        (b"POST / HTTP/1.1\r\nExpect: tea", False),
        (b"POST / HTTP/1.1\r\nX-Expect: 100-continue", False),
    ],
)
def test_who_waits_for_our_word_is_known(line: bytes, expecting: bool) -> None:
    arriving = Arriving(MOST)
    assert not arriving.take(line + b"\r\nContent-Length: 5\r\n\r\n")
    assert arriving.expecting is expecting


def test_what_is_held_is_read_in_pieces_and_the_rest_is_left() -> None:
    held = Held()
    data = bytes(range(256)) * 1000
    held.hold(data)
    assert held.read(10) == data[:10]
    assert held.read(100_000) == data[10:100_010]
    assert held.left() == data[100_010:]
    assert held.read() == b""
