"""HTTP/1.1 messages: heads of requests read strictly, heads of responses written (RFC 9112)."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

#: A request line with all headers may have this many bytes.
MAX_HEAD = 32 * 1024
_MAX_HEADERS = 100
_HEADS_REMEMBERED = 512

_REQUEST_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) (\S{1,8000}) HTTP/1\.([01])")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*")
#: Fields of which a second one makes the message ambiguous.
_SINGLE = frozenset({"content-length", "transfer-encoding", "host", "content-type"})


class BadMessage(Exception):
    """Raised for bytes that are no HTTP request that is answered here; `status` says why."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class Head:
    """Request line and headers; names of headers are in lower case.

    ``length`` is the body's size in bytes, None where it comes in chunks.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    length: int | None
    keep_alive: bool
    expects_continue: bool


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request for the application; ``is_too_large`` says that its body was not read."""

    head: Head
    body: bytes
    client: str
    is_too_large: bool = False


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The application's answer; ``extra`` are further header lines, each ended."""

    status: int
    content_type: str
    body: bytes
    extra: str = ""


@lru_cache(maxsize=_HEADS_REMEMBERED)
def read_head(data: bytes) -> Head:
    """The head in `data`, without the empty line that ends it. Raises BadMessage."""
    first, *lines = data.decode("latin-1").split("\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    if line is None:
        raise BadMessage(HTTPStatus.BAD_REQUEST, "the first line is no HTTP/1.x request")
    headers = _headers(lines)
    is_11 = line[3] == "1"
    if is_11 and "host" not in headers:
        raise BadMessage(HTTPStatus.BAD_REQUEST, "an HTTP/1.1 request must have a Host header")
    connection = {token.strip() for token in headers.get("connection", "").lower().split(",")}
    target = _path_of(line[2])
    path, _, query = target.partition("?")
    return Head(
        method=line[1],
        path=path,
        query=query,
        headers=headers,
        length=_length(headers),
        keep_alive="close" not in connection if is_11 else "keep-alive" in connection,
        expects_continue=is_11 and headers.get("expect", "").lower() == "100-continue",
    )


def _headers(lines: list[str]) -> dict[str, str]:
    if len(lines) > _MAX_HEADERS:
        raise BadMessage(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"more than {_MAX_HEADERS} headers"
        )
    headers: dict[str, str] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise BadMessage(HTTPStatus.BAD_REQUEST, "a header line is not NAME: VALUE")
        name = field[1].lower()
        if name in headers and name in _SINGLE:
            raise BadMessage(HTTPStatus.BAD_REQUEST, f"the header {name} is there twice")
        headers[name] = f"{headers[name]}, {field[2]}" if name in headers else field[2]
    return headers


def _length(headers: Mapping[str, str]) -> int | None:
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if coding is not None:
        # Both together are how requests are smuggled past proxies.
        if length is not None or coding.lower() != "chunked":
            raise BadMessage(
                HTTPStatus.BAD_REQUEST, "the body comes by Content-Length or chunked, not otherwise"
            )
        return None
    if length is None:
        return 0
    if not (length.isascii() and length.isdigit() and len(length) <= 15):
        raise BadMessage(HTTPStatus.BAD_REQUEST, "Content-Length is no number")
    return int(length)


def _path_of(target: str) -> str:
    """Path and query of a request target, which proxies' clients send as a whole URL."""
    if target.lower().startswith(("http://", "https://")):
        _, slash, rest = target.partition("://")[2].partition("/")
        return slash + rest or "/"
    return target


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def write_head(
    status: int, content_type: str, length: int, *, keep_alive: bool, extra: str = ""
) -> bytes:
    """The head of a response; `extra` are further header lines, each ended."""
    second = int(time.time())
    return _head_start(second, status, content_type, keep_alive, extra) + b"%d\r\n\r\n" % length


@lru_cache(maxsize=64)
def _head_start(second: int, status: int, content_type: str, keep_alive: bool, extra: str) -> bytes:
    connection = "keep-alive" if keep_alive else "close"
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        f"Date: {formatdate(second, usegmt=True)}\r\nServer: mds-aggregator\r\n"
        f"Content-Type: {content_type}\r\nConnection: {connection}\r\n{extra}Content-Length: "
    ).encode("latin-1")
