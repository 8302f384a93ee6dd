"""Bodies that come in chunks (RFC 9112, section 7.1), as GT4 clients send them."""

from __future__ import annotations

import re
from http import HTTPStatus

from aggregator.member.http_message import BadMessage

_MAX_LINE = 1024
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")


class ChunkedBody:
    """Puts a chunked body together; `data` is what has come, at most `limit` bytes of it."""

    def __init__(self, *, limit: int) -> None:
        self.data = bytearray()
        self.is_too_large = False
        self._limit = limit
        self._left = 0
        self._in_trailers = False

    def feed(self, buffer: bytearray) -> bool:
        """Take what can be taken from the buffer's front; whether the body is complete."""
        while not self.is_too_large:
            if self._left:
                if not self._take_data(buffer):
                    return False
                continue
            end = buffer.find(b"\r\n")
            if end < 0:
                if len(buffer) > _MAX_LINE:
                    raise BadMessage(HTTPStatus.BAD_REQUEST, "a line between chunks is too long")
                return False
            line = bytes(buffer[:end])
            del buffer[: end + 2]
            if self._in_trailers:
                if not line:
                    return True
            else:
                self._begin_chunk(line)
        return True

    def _begin_chunk(self, line: bytes) -> None:
        size = _SIZE.fullmatch(line)
        if size is None:
            raise BadMessage(HTTPStatus.BAD_REQUEST, "a chunk does not begin with its size")
        # The line break behind the data belongs to the chunk.
        self._left = int(size[1], 16) + 2
        if self._left == 2:
            self._left, self._in_trailers = 0, True
        self.is_too_large = len(self.data) + self._left - 2 > self._limit

    def _take_data(self, buffer: bytearray) -> bool:
        """Take data of the present chunk; whether it is complete."""
        wanted = self._left - 2
        if wanted > 0:
            piece = buffer[:wanted]
            self.data += piece
            del buffer[: len(piece)]
            self._left -= len(piece)
        if self._left > 2 or len(buffer) < 2:
            return False
        if buffer[:2] != b"\r\n":
            raise BadMessage(HTTPStatus.BAD_REQUEST, "a chunk is longer than it said")
        del buffer[:2]
        self._left = 0
        return True
