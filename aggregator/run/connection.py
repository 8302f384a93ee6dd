"""A client's connection: what came of a request, what is left of a reply, TLS around both.

Nothing here ever waits. gunicorn takes a Connection for the socket that it writes a reply to.
"""

from __future__ import annotations

import contextlib
import enum
import logging
import socket
import ssl
import struct
import time
from collections import deque
from collections.abc import Generator, Mapping
from typing import Any

from aggregator.run.arriving import Arriving, Held
from aggregator.waiting import Pending

log = logging.getLogger(__name__)

_PIECE = 65536
#: Most that is taken of a client before others are looked after.
_MOST_AT_ONCE = 16 * _PIECE
#: Bytes that the kernel may hold of a reply that the client's host has not asked for yet.
_UNSENT = 128 * 1024
#: Close at once, with a reset: who takes nothing shall not hold our buffers.
_FORGET = struct.pack("ii", 1, 0)
#: Bytes that are taken from a client after we said that we are done.
_MOST_DRAINED = 1024 * 1024
#: Pieces that are handed to the kernel at once, which takes a thousand.
_MOST_PIECES = 64
_TRY_AGAIN = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_SPEAK_TLS = b"this port speaks https: write https:// in the address\n"
_TO_PLAIN_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_SPEAK_TLS), _SPEAK_TLS)
)
_TOO_LATE = (
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 34\r\n\r\nthe request did not come in time.\n"
)
_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


class Stage(enum.Enum):
    """What happens with a connection; in each stage its time is bounded by what the name says."""

    IDLE = "idle"
    HANDSHAKE = "handshake"
    HEADER = "header"
    BODY = "body"
    #: A thread has it in hand.
    WORKING = "working"
    #: What it asks for is being written.
    PENDING = "pending"
    #: The client has to take what it was sent.
    REPLY = "reply"
    #: We are done and only take what is still under way.
    LINGERING = "lingering"
    GONE = "gone"


class Connection:
    """One connection. `began`, `since` (of its stage) and `deadline` are monotonic instants."""

    def __init__(self, sock: socket.socket, *, client: Any, server: Any, most_body: int) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
        #: A socket, or an SSLSocket once the client has spoken.
        self.sock: Any = sock
        self.number = sock.fileno()
        self.client = client
        self.server = server
        self.arriving = Arriving(most_body)
        self.held = Held()
        self.parser: Any = None
        #: The request in hand: goes on with its reply, a piece at a time.
        self.exchange: Generator[bool | Pending, None, None] | None = None
        #: What the reply waits for, where no thread waits for it.
        self.pending: Pending | None = None
        self.began = self.since = self.deadline = time.monotonic()
        self.stage = Stage.HEADER
        self.is_secure = False
        #: Whether nothing more comes from the client, or nothing that is waited for.
        self.said_all = False
        #: Whether the next request may come on this connection.
        self.keep = False
        #: Bytes that are counted for the request, and for the reply.
        self.arrived = self.unsent = 0
        #: Bytes of the reply that the kernel has not taken.
        self.outgoing = 0
        self._outgoing: deque[memoryview] = deque()
        self._drained = 0

    def enter(self, stage: Stage, *, patience: float) -> None:
        """Begin a stage that may take `patience` seconds."""
        self.since = time.monotonic()
        self.deadline = self.since + patience
        # The last, since another thread goes by it.
        self.stage = stage

    # Arriving.

    def receive(self) -> bool:
        """Take what is there; whether a request is whole, or the client has ended what it says.

        Raises OSError where the connection has broken.
        """
        for _ in range(_MOST_AT_ONCE // _PIECE):
            try:
                piece = self.sock.recv(_PIECE)
            except _TRY_AGAIN:
                return False
            if not piece:
                self.said_all = True
                return True
            if self.arriving.take(piece):
                return True
            if (len(piece) < _PIECE or self.arriving.is_chunked) and not self.is_secure:
                return False
        return False

    def has_left(self) -> bool:
        """Whether the client has closed the connection since its request was read."""
        if self.said_all:
            # It closed its own side before, and may wait for the reply on the other.
            return False
        try:
            # Beneath TLS, where the end shows as well.
            return not socket.socket.recv(self.sock, 1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except _TRY_AGAIN:
            return False
        except OSError:
            return True

    def tell_to_go_on(self) -> None:
        """Tell a client that waits for it to send the body (RFC 9110, section 10.1.1)."""
        with contextlib.suppress(OSError):
            self.sock.send(_GO_ON)

    def tell_late(self) -> None:
        """Tell a client that its request took too long (RFC 9110, section 15.5.9)."""
        with contextlib.suppress(OSError):
            self.sock.send(_TOO_LATE)

    # TLS.

    @property
    def speaks_tls(self) -> bool:
        """Whether TLS is around the socket, its handshake made or not."""
        return isinstance(self.sock, ssl.SSLSocket)

    def speak_tls(self, context: ssl.SSLContext) -> None:
        """Put TLS around the socket; raises OSError, and closes it, where the client has gone."""
        self.sock = context.wrap_socket(self.sock, server_side=True, do_handshake_on_connect=False)

    def shake(self) -> bool:
        """Take the handshake as far as the client's words reach; whether it is done.

        Raises OSError where it fails.
        """
        try:
            self.sock.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.is_secure = True
        return True

    def tell_failure(self, error: Exception) -> None:
        """Log why the handshake failed, and tell a client that speaks plain HTTP what is wrong."""
        reason = getattr(error, "verify_message", "") or getattr(error, "reason", "") or error
        log.info(
            "a TLS handshake failed", extra={"caller": self.client[0], "detail": str(reason)[:200]}
        )
        if getattr(error, "reason", "") == "HTTP_REQUEST":
            with contextlib.suppress(OSError):
                # Around TLS, which this connection never began to speak.
                socket.socket.send(self.sock, _TO_PLAIN_HTTP)

    def getpeercert(self) -> Mapping[str, Any]:
        """The verified certificate of the client, as an SSLSocket gives it; empty without one."""
        return (self.sock.getpeercert() if self.is_secure else None) or {}

    # Leaving. The names of the first two are those of a socket.

    def sendall(self, data: bytes) -> None:
        """Take a piece of a reply; `flush` sends it."""
        if data:
            self._outgoing.append(memoryview(data))
            self.outgoing += len(data)

    def send(self, data: bytes) -> int:
        """Take a piece of a reply."""
        self.sendall(data)
        return len(data)

    def gettimeout(self) -> float:
        """0: nothing waits."""
        return 0.0

    def flush(self) -> bool:
        """Send as much as the kernel takes; whether that was all. Raises OSError."""
        while self._outgoing:
            try:
                sent = self._send()
            except _TRY_AGAIN:
                return False
            self.outgoing -= sent
            while sent:
                first = self._outgoing[0]
                if sent < len(first):
                    self._outgoing[0] = first[sent:]
                    break
                sent -= len(first)
                self._outgoing.popleft()
        return True

    def _send(self) -> int:
        if len(self._outgoing) == 1 or self.is_secure:
            return int(self.sock.send(self._outgoing[0]))
        return int(self.sock.sendmsg(list(self._outgoing)[:_MOST_PIECES]))

    # The end.

    def end(self) -> None:
        """Have both hosts forget what was not taken: for what is closed right after."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _FORGET)

    def end_sending(self) -> None:
        """Tell the client that nothing more comes; raises OSError where it has gone."""
        if self.is_secure:
            with contextlib.suppress(OSError, ValueError):
                # Sends our close_notify, without which some clients take the reply for cut off.
                self.sock.unwrap()
        self.sock.shutdown(socket.SHUT_WR)

    def drain(self) -> bool:
        """Take what the client still sends; whether there may be more."""
        try:
            piece = self.sock.recv(_PIECE)
        except _TRY_AGAIN:
            return True
        except OSError:
            return False
        self._drained += len(piece)
        return bool(piece) and self._drained < _MOST_DRAINED

    def close(self) -> None:
        """Close it, and whatever makes its reply."""
        if self.exchange is not None:
            with contextlib.suppress(ValueError):  # A thread is at it.
                self.exchange.close()
        self._outgoing.clear()
        with contextlib.suppress(OSError):
            self.sock.close()
