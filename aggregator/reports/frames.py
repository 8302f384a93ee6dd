"""Frames between the collector and the process of an aggregator: a line of JSON, then bytes.

``size`` in the line says how many bytes follow. What an aggregator sends is not believed: the
collector bounds both.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from typing import Any, BinaryIO

LONGEST_LINE = 2**20
"""Bytes of a line at most."""

Frame = tuple[Mapping[str, Any], bytes]


def frame(header: Mapping[str, Any], body: bytes = b"") -> bytes:
    """One frame, ready to be sent."""
    return json.dumps({**header, "size": len(body)}).encode() + b"\n" + body


class Pipe:
    """The aggregator's end, for many threads that write and one that reads."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._writing = threading.Lock()

    def write(self, header: Mapping[str, Any], body: bytes = b"") -> None:
        """Send a frame."""
        with self._writing:
            self._stream.write(frame(header, body))
            self._stream.flush()

    def read(self) -> Frame | None:
        """The next frame, None at the end."""
        line = self._stream.readline()
        if not line:
            return None
        header = json.loads(line)
        return header, self._stream.read(header["size"])


async def read_frame(reader: asyncio.StreamReader, *, limit: int) -> Frame:
    """The next frame of an aggregator; EOFError at the end, ValueError for what is none, or too
    large for `limit` bytes."""
    line = await reader.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    header = json.loads(line)
    size = header.get("size") if isinstance(header, dict) else None
    if not isinstance(size, int) or not 0 <= size <= limit:
        raise ValueError(f"a frame of {size!r} bytes, of which there may be {limit}")
    return header, await reader.readexactly(size)
