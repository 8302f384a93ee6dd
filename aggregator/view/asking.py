"""A web worker's connection to the evaluator: its request in, an error out."""

from __future__ import annotations

import socket

from aggregator.errors import AggregatorException
from aggregator.view.evaluation import Child
from aggregator.view.query_messages import (
    LARGEST_REQUEST,
    LENGTH,
    QueryRequest,
    error_head,
    frame,
    read_request,
)
from aggregator.view.timers import Timer


class Gone(Exception):
    """The client closed the connection, or sent what no client of ours sends."""


class Asking:
    """One connection: first its request is read, then it waits, then a child evaluates for it."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.child: Child | None = None
        self.timer: Timer | None = None
        #: Why the child was ended.
        self.verdict: AggregatorException | None = None
        #: Whether the child has begun to send its reply.
        self.answering = False
        #: Whether it has not run for long yet, and whether it has run for very long.
        self.quick = True
        self.long = False
        self._request: QueryRequest | None = None
        self._data = bytearray()

    @property
    def request(self) -> QueryRequest:
        """What is asked, once it has been read."""
        assert self._request is not None
        return self._request

    @property
    def caller(self) -> str:
        """Who asks."""
        return self.request.caller

    def read(self) -> bool:
        """Read what is there; whether the request is complete now. Raises Gone."""
        try:
            piece = self.connection.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError as error:
            raise Gone from error
        if not piece or self._request is not None:
            raise Gone
        self._data += piece
        if len(self._data) < LENGTH.size:
            return False
        (length,) = LENGTH.unpack_from(self._data)
        if length > LARGEST_REQUEST or len(self._data) > LENGTH.size + length:
            raise Gone
        if len(self._data) < LENGTH.size + length:
            return False
        try:
            self._request = read_request(bytes(self._data[LENGTH.size :]))
        except (ValueError, TypeError) as error:
            raise Gone from error
        self._data.clear()
        return True

    def refuse(self, error: AggregatorException) -> None:
        """Tell an error, as far as the client still listens."""
        try:
            self.connection.send(frame(error_head(error)), socket.MSG_DONTWAIT)
        except OSError:
            return

    def close(self) -> None:
        """End the connection and whatever is planned for it."""
        if self.timer is not None:
            self.timer.cancel()
        self.connection.close()
