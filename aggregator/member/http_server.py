"""The member's HTTP server: small requests, prepared replies, no thread a connection.

Clients that trickle, stop or do not read hold nothing that others need: each phase of a request
has its deadline, and one sweep a second ends what is past it.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
from contextlib import suppress

from aggregator.member.http_connection import Application, Connection

logger = logging.getLogger(__name__)

_BACKLOG = 1024
_SWEEP = 0.5
#: Descriptors that connections leave to everything else.
_SPARE_DESCRIPTORS = 128
_MOST_CONNECTIONS = 10_000


class HttpServer:
    """Serves one application on one listening socket."""

    def __init__(self, application: Application, *, max_body: int) -> None:
        self.application = application
        self.max_body = max_body
        self.is_stopping = False
        self._connections: set[Connection] = set()
        self._most = _raise_limit() - _SPARE_DESCRIPTORS
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self, listener: socket.socket) -> None:
        """Take connections from now on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self), sock=listener, backlog=_BACKLOG
        )
        self._sweeper = asyncio.create_task(self._sweep())

    async def stop(self, *, within: float) -> None:
        """Take no more connections, finish what is asked, close everything within the time."""
        self.is_stopping = True
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self._connections:
                    await asyncio.sleep(0.02)
        for connection in tuple(self._connections):
            connection.abort()
        if self._sweeper is not None:
            self._sweeper.cancel()

    def opened(self, connection: Connection) -> bool:
        """Take note of a connection; False where there are too many."""
        self._connections.add(connection)
        return len(self._connections) <= self._most

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP)
            now = loop.time()
            for connection in [c for c in self._connections if c.deadline < now]:
                connection.expire()


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _raise_limit() -> int:
    """As many descriptors as the system lets us have, up to what is useful."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS + _SPARE_DESCRIPTORS
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return min(soft, _MOST_CONNECTIONS + _SPARE_DESCRIPTORS)
