"""Frames between the collector, the probe server and the keepers of single probes.

A frame is two unsigned 32-bit lengths in network order, a JSON object (the header) and raw bytes
(the body). This module is loaded into the probe server and imports nothing heavy.
"""

from __future__ import annotations

import json
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_LENGTHS = struct.Struct(">II")


def frame(header: dict[str, Any], body: bytes | bytearray = b"") -> bytes:
    """One frame, ready to be sent."""
    text = json.dumps(header, separators=(",", ":")).encode()
    return b"".join((_LENGTHS.pack(len(text), len(body)), text, body))


class FrameBuffer:
    """Cuts a stream of bytes into frames, whatever the pieces in which it arrives."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, piece: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
        """Take a piece; yield header and body of every frame that is now complete."""
        self._bytes += piece
        while (end := self._end()) is not None:
            header, body = _LENGTHS.unpack_from(self._bytes)
            start = _LENGTHS.size + header
            text = self._bytes[_LENGTHS.size : start]
            content = bytes(self._bytes[start : start + body])
            del self._bytes[:end]
            yield json.loads(text), content

    def _end(self) -> int | None:
        """Where the first frame ends, None while it is not complete."""
        if len(self._bytes) < _LENGTHS.size:
            return None
        end = _LENGTHS.size + sum(_LENGTHS.unpack_from(self._bytes))
        return end if len(self._bytes) >= end else None
