"""Members that are polled, in a process of their own, which notes when each was.

    python -m tests.polled_members

It prints its port, answers each poll of a path at once, and on each line of standard input prints
what it noted since the last one: a JSON object of path to instants, in seconds of a steady clock.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from aggregator.wire.dialects import DIALECTS
from aggregator.wire.envelope import SOAP11, write_envelope

_DIALECT = DIALECTS["oasis"]
_REPLY = write_envelope(
    SOAP11,
    f'<rp:GetResourcePropertyResponse xmlns:rp="{_DIALECT.rp}"><w:load xmlns:w="urn:w">1</w:load>'
    "</rp:GetResourcePropertyResponse>".encode(),
)
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % len(_REPLY)
) + _REPLY


class _Noting(asyncio.Protocol):
    def __init__(self, noted: dict[str, list[float]]) -> None:
        self._noted = noted
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, body = self._data.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        if not found or len(body) < int(length or 0):
            return
        self._data = body[int(length or 0) :]
        self._noted[head.split(b" ", 2)[1].decode()].append(time.monotonic())
        assert self._transport is not None
        self._transport.write(_ANSWER)


async def _serve() -> None:
    noted: dict[str, list[float]] = defaultdict(list)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Noting(noted), "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        told = json.dumps(noted)
        noted.clear()
        print(told, flush=True)


class PolledMembers:
    """`url` leads to as many members as there are paths."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdout is not None
        self.url = f"http://127.0.0.1:{int(process.stdout.readline())}"

    def noted(self) -> dict[str, list[float]]:
        """When each path was polled since this was asked last."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        found: dict[str, list[float]] = json.loads(self._process.stdout.readline())
        return found


@contextmanager
def polled_members() -> Iterator[PolledMembers]:
    """Members that are there as long as the block."""
    command = [sys.executable, "-m", "tests.polled_members"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        try:
            yield PolledMembers(process)
        finally:
            process.stdin.close()
            process.wait(20)


if __name__ == "__main__":
    asyncio.run(_serve())
