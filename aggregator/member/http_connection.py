"""One connection of the member's HTTP server: its phases in order, and a deadline for each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, Protocol

from aggregator.member.http_chunks import ChunkedBody
from aggregator.member.http_message import (
    CONTINUE,
    MAX_HEAD,
    BadMessage,
    Head,
    Incoming,
    Outgoing,
    read_head,
    write_head,
)

logger = logging.getLogger(__name__)

#: Seconds for an idle connection, a head, a body, a reply's way out, the end after a refusal.
IDLE_TIME = 75.0
HEAD_TIME = 10.0
BODY_TIME = 30.0
WRITE_TIME = 60.0
LINGER_TIME = 3.0
_NEVER = float("inf")

Application = Callable[[Incoming], Outgoing | Coroutine[Any, Any, Outgoing]]


class Phase(Enum):
    """What a connection waits for."""

    HEAD = auto()
    BODY = auto()
    #: The application works.
    WORK = auto()
    #: The client does not read as fast as it asks.
    DRAIN = auto()
    #: The last reply is out or on its way; what the client still sends is dropped.
    LINGER = auto()


class Server(Protocol):
    """What a connection needs of its server."""

    @property
    def application(self) -> Application:
        """Answers requests."""

    @property
    def max_body(self) -> int:
        """Bytes of the largest body that is read."""

    @property
    def is_stopping(self) -> bool:
        """Whether every reply is the last of its connection."""

    def opened(self, connection: Connection) -> bool:
        """Take note of a connection; False where there are too many."""

    def closed(self, connection: Connection) -> None:
        """Forget a connection."""


class Connection(asyncio.Protocol):
    """Reads requests one after the other and answers each before it looks at the next."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._head: Head | None = None
        self._chunks: ChunkedBody | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_blocked = False
        self._enter(Phase.HEAD, within=HEAD_TIME)

    def _enter(self, phase: Phase, *, within: float) -> None:
        self.phase = phase
        self.deadline = self._loop.time() + within

    # What asyncio tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # Nothing is read while anything waits to go out.
        transport.set_write_buffer_limits(high=0)
        peer = transport.get_extra_info("peername")
        self._client = str(peer[0]) if peer else ""
        if not self._server.opened(self):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections; try again")

    def data_received(self, data: bytes) -> None:
        """The client sent something."""
        if self.phase is Phase.LINGER:
            return
        self._buffer += data
        if self.phase is Phase.HEAD and len(self._buffer) == len(data):
            self._enter(Phase.HEAD, within=HEAD_TIME)
        self._go_on()

    def eof_received(self) -> bool:
        """The client sends no more; what it asked for is still answered."""
        if self.phase in (Phase.HEAD, Phase.BODY, Phase.LINGER):
            return False
        self._head = None
        return True

    def pause_writing(self) -> None:
        """A reply waits to go out."""
        self._is_blocked = True

    def resume_writing(self) -> None:
        """The reply is out."""
        self._is_blocked = False
        if self.phase is Phase.DRAIN:
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._server.closed(self)
        if self._task is not None:
            self._task.cancel()

    # What the server tells.

    def expire(self) -> None:
        """The deadline is past."""
        if self.phase is Phase.BODY or (self.phase is Phase.HEAD and self._buffer):
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "the request did not come in time")
        elif self.phase is Phase.HEAD:
            self._enter(Phase.LINGER, within=LINGER_TIME)
            self._transport.close()
        else:
            self._transport.abort()

    def stop(self) -> None:
        """The server stops: an idle connection is closed, any other after its reply."""
        if self.phase is Phase.HEAD and not self._buffer:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    # The phases.

    def _go_on(self) -> None:
        try:
            while (self.phase is Phase.HEAD and self._read_head()) or (
                self.phase is Phase.BODY and self._read_body()
            ):
                pass
        except BadMessage as error:
            self._refuse(error.status, error.text)

    def _read_head(self) -> bool:
        """Take a head from the buffer, whether there was a whole one."""
        buffer = self._buffer
        while buffer.startswith(b"\r\n"):
            del buffer[:2]
        end = buffer.find(b"\r\n\r\n", 0, MAX_HEAD + 4)
        if end < 0:
            if len(buffer) > MAX_HEAD:
                status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
                raise BadMessage(status, f"the head has more than {MAX_HEAD} bytes")
            return False
        self._head = head = read_head(bytes(buffer[:end]))
        del buffer[: end + 4]
        limit = self._server.max_body
        self._chunks = ChunkedBody(limit=limit) if head.length is None else None
        if head.length is not None and head.length > limit:
            self._work(b"", is_too_large=True)
            return True
        self._enter(Phase.BODY, within=BODY_TIME)
        if head.expects_continue and head.length != 0 and not buffer:
            self._transport.write(CONTINUE)
        return True

    def _read_body(self) -> bool:
        """Take the body from the buffer, whether it was whole."""
        assert self._head is not None
        if self._chunks is not None:
            if not self._chunks.feed(self._buffer):
                return False
            self._work(bytes(self._chunks.data), is_too_large=self._chunks.is_too_large)
            return True
        length = self._head.length or 0
        if len(self._buffer) < length:
            return False
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._work(body)
        return True

    def _work(self, body: bytes, *, is_too_large: bool = False) -> None:
        assert self._head is not None
        self._enter(Phase.WORK, within=_NEVER)
        incoming = Incoming(self._head, body, self._client, is_too_large)
        try:
            outgoing = self._server.application(incoming)
        except Exception:
            outgoing = _internal_error(incoming)
        if isinstance(outgoing, Outgoing):
            self._answer(outgoing, is_last=is_too_large)
            return
        self._transport.pause_reading()
        self._task = asyncio.create_task(self._wait_for(outgoing, incoming))

    async def _wait_for(self, work: Coroutine[Any, Any, Outgoing], incoming: Incoming) -> None:
        try:
            outgoing = await work
        except Exception:
            outgoing = _internal_error(incoming)
        self._task = None
        self._answer(outgoing, is_last=incoming.is_too_large)
        if self.phase is Phase.HEAD:
            self._next()

    def _answer(self, outgoing: Outgoing, *, is_last: bool) -> None:
        head = self._head
        keep = head is not None and head.keep_alive and not is_last
        keep = keep and not self._server.is_stopping
        body = b"" if head is not None and head.method == "HEAD" else outgoing.body
        start = write_head(
            outgoing.status,
            outgoing.content_type,
            len(outgoing.body),
            keep_alive=keep,
            extra=outgoing.extra,
        )
        self._transport.write(start + body)
        self._head = self._chunks = None
        if not keep:
            self._end(may_send_more=is_last)
        elif self._is_blocked:
            self._enter(Phase.DRAIN, within=WRITE_TIME)
            self._transport.pause_reading()
        else:
            self._enter(Phase.HEAD, within=HEAD_TIME if self._buffer else IDLE_TIME)

    def _next(self) -> None:
        """Turn to the next request, which may be here already."""
        self._enter(Phase.HEAD, within=HEAD_TIME if self._buffer else IDLE_TIME)
        self._transport.resume_reading()
        self._go_on()

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        body = f"{text}\n".encode()
        head = write_head(status, "text/plain; charset=utf-8", len(body), keep_alive=False)
        self._transport.write(head + body)
        self._end(may_send_more=True)

    def _end(self, *, may_send_more: bool) -> None:
        """Close after the last reply; with a client that still sends, once it has read that."""
        self._enter(Phase.LINGER, within=LINGER_TIME if may_send_more else WRITE_TIME)
        self._buffer.clear()
        if may_send_more:
            self._transport.resume_reading()
            self._transport.write_eof()
        else:
            self._transport.close()


def _internal_error(incoming: Incoming) -> Outgoing:
    logger.exception("%s %s failed", incoming.head.method, incoming.head.path)
    return Outgoing(500, "text/plain; charset=utf-8", b"an internal error; the log tells more\n")
