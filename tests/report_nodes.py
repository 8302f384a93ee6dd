"""Many nodes in one process: each reports on time, over a connection of its own, until it is told.

A report is sent again, under the same id, until it is acknowledged: what the ledger of a node holds
is what the service has promised.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.report_kit import SITE

_TIMEOUT = 10.0


@dataclass(slots=True)
class Node:
    """A node: the ids of its reports that were acknowledged, and how often one was sent."""

    name: str
    acknowledged: list[str] = field(default_factory=list)
    sent: int = 0
    late: float = 0.0


@dataclass(slots=True)
class Fleet:
    """Nodes that report to `url` every `interval` seconds, `count` times each."""

    url: str
    nodes: list[Node]
    interval: float
    count: int

    async def run(self) -> None:
        """Have all nodes report; ends once every report of each was acknowledged."""
        await asyncio.gather(*(self._report(node) for node in self.nodes))

    async def _report(self, node: Node) -> None:
        loop = asyncio.get_running_loop()
        # As after a power cut, when all come back; but not in step for ever.
        due = loop.time() + random.random() * self.interval
        link: _Link | None = None
        for number in range(self.count):
            await asyncio.sleep(max(0.0, due - loop.time()))
            id = f"r{number}"
            while True:
                node.sent += 1
                try:
                    link = link or await _Link.open(self.url)
                    async with asyncio.timeout(_TIMEOUT):
                        status = await link.report(node.name, id)
                except (OSError, EOFError, ValueError, TimeoutError):
                    status = 0
                if status in (200, 201):
                    break
                if link is not None:
                    link.close()
                    link = None
                await asyncio.sleep(random.uniform(0.1, 0.5))
            node.acknowledged.append(id)
            node.late = max(node.late, loop.time() - due)
            due += self.interval
        if link is not None:
            link.close()


@dataclass(slots=True)
class _Link:
    """A connection that is kept."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @staticmethod
    async def open(url: str) -> _Link:
        parts = urlsplit(url)
        async with asyncio.timeout(_TIMEOUT):
            return _Link(*await asyncio.open_connection(parts.hostname, parts.port))

    async def report(self, node: str, id: str) -> int:
        """Send a report; the HTTP status."""
        data = f"{node}-{id}".encode()
        head = (
            f"POST /reports/nodes/{node}/Load/{id} HTTP/1.1\r\nHost: service\r\n"
            f"Authorization: Bearer {SITE}\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        self.writer.write(head.encode() + data)
        await self.writer.drain()
        answer = await self.reader.readuntil(b"\r\n\r\n")
        lines = answer.decode("latin-1").split("\r\n")
        lengths = [one for one in lines if one.lower().startswith("content-length:")]
        await self.reader.readexactly(int(lengths[0].split(":")[1]))
        return int(lines[0].split()[1])

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.writer.close()
