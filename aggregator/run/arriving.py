"""A request on its way in: its bytes, until they are a whole one.

Only lengths are looked at here, so that no thread waits for a client. What the bytes mean, and
whether they are HTTP at all, is for gunicorn's parser to say: it is handed them when they are
whole, or when it is certain that they never will be.
"""

from __future__ import annotations

import re

from gunicorn.http.unreader import Unreader

#: More than gunicorn's parser takes for a header: it says what is wrong with so much.
MOST_HEADER = 128 * 1024
#: Longest line with the size of a chunk, its extensions included.
_MOST_LINE = 8192
_PIECE = 65536

_CODED = re.compile(rb"\r\ntransfer-encoding[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:[ \t]*(\d{1,18})[ \t]*(?=\r\n)", re.IGNORECASE)
_EXPECTING = re.compile(rb"\r\nexpect[ \t]*:[ \t]*100-continue[ \t]*(?=\r\n)", re.IGNORECASE)
_BARE = re.compile(rb"(?<!\r)\n")
_NEW_ENOUGH = re.compile(rb"[^\r\n]* HTTP/1\.[1-9]\r\n")


class Arriving:
    """The bytes of one request, and of what came behind it, on one connection.

    More than `most_body` bytes of a body are not waited for: reading so much is enough to refuse
    it.
    """

    __slots__ = (
        "_chunks",
        "_data",
        "_is_no_header",
        "_most_body",
        "_needed",
        "_searched",
        "expecting",
        "header",
    )

    def __init__(self, most_body: int) -> None:
        self._most_body = most_body
        self._data = bytearray()
        self._begin()

    def _begin(self) -> None:
        #: Length of the header, 0 until it is whole.
        self.header = 0
        #: Whether the client waits for our word before it sends the body.
        self.expecting = False
        self._is_no_header = False
        self._searched = 0
        self._needed = 0
        self._chunks: _Chunks | None = None

    def __len__(self) -> int:
        return len(self._data)

    @property
    def is_chunked(self) -> bool:
        """Whether the body comes in chunks, which take time to find the end of."""
        return self._chunks is not None

    def take(self, piece: bytes) -> bool:
        """Add bytes; whether the request is whole now, or never will be."""
        self._data += piece
        return self.is_whole()

    def is_whole(self) -> bool:
        """Whether there is enough to hand the request over."""
        if not self.header and not self._find_header():
            return self._is_no_header or len(self._data) > MOST_HEADER
        if self._chunks is None:
            return len(self._data) >= self._needed
        if len(self._data) > self.header + self._most_body * 5 // 4 + _PIECE:
            return True  # Chunks of a few bytes each, which are dearer than what they hold.
        return self._chunks.ended(self._data) or self._chunks.size > self._most_body

    def release(self) -> bytes:
        """Hand everything over; `put_back` returns what did not belong to the request."""
        data = bytes(self._data)
        self._data.clear()
        return data

    def put_back(self, rest: bytes) -> None:
        """Begin the next request with what came behind the last one."""
        self._data[:] = rest
        self._begin()

    def _find_header(self) -> bool:
        end = self._data.find(b"\r\n\r\n", self._searched)
        if end < 0:
            self._is_no_header = _BARE.search(self._data, self._searched) is not None
            self._searched = max(0, len(self._data) - 3)
            return False
        self.header = end + 4
        header = bytes(self._data[: end + 2])
        self.expecting = bool(_EXPECTING.search(header) and _NEW_ENOUGH.match(header))
        codings = _CODED.findall(header)
        if [coding.strip().lower() for coding in codings] == [b"chunked"]:
            self._chunks = _Chunks(self.header)
            return True
        # Another coding, two lengths, or one that is no number, are for the parser to refuse.
        lengths = [] if codings else _LENGTH.findall(header)
        expected = int(lengths[0]) if len(lengths) == 1 else 0
        self._needed = self.header + min(expected, self._most_body + 1)
        return True


class _Chunks:
    """How far a chunked body has come; `size` is what came of it so far."""

    __slots__ = ("_at", "_last", "_whole", "size")

    def __init__(self, at: int) -> None:
        self._at = at
        self._whole = 0
        self._last = False
        self.size = 0

    def ended(self, data: bytearray) -> bool:
        """Whether the body has ended, or is not chunked as it should be."""
        while not self._last:
            end = data.find(b"\r\n", self._at, self._at + _MOST_LINE)
            if end < 0:
                return len(data) - self._at >= _MOST_LINE
            try:
                size = int(data[self._at : end].partition(b";")[0], 16)
            except ValueError:
                return True
            if size < 0:
                return True
            following = end + 2 + size + 2
            if size and len(data) < following:
                self.size = self._whole + len(data) - end - 2
                return False
            self.size = self._whole = self._whole + size
            self._at = following if size else end + 2
            self._last = not size
        return (
            data.startswith(b"\r\n", self._at)
            or data.find(b"\r\n\r\n", self._at) >= 0
            or len(data) - self._at > MOST_HEADER
        )


class Held(Unreader):  # type: ignore[misc]  # gunicorn has no types
    """What gunicorn's parser reads of a request that was handed over: memory, never a socket."""

    def __init__(self) -> None:
        super().__init__()
        self._data = memoryview(b"")

    def hold(self, data: bytes) -> None:
        """Have these bytes read next, once those before are gone."""
        self._data = memoryview(data)

    def chunk(self, size_hint: int | None = None) -> bytes:
        """The next bytes; none at the end of what has come."""
        size = max(_PIECE, size_hint or 0)
        piece, self._data = bytes(self._data[:size]), self._data[size:]
        return piece

    def left(self) -> bytes:
        """What nobody has read, which begins the next request."""
        rest = self.take_buffered() + bytes(self._data)
        self._data = memoryview(b"")
        return bytes(rest)
