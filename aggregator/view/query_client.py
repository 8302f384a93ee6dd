"""How web workers ask the query evaluator."""

from __future__ import annotations

import logging
import socket
import struct
import time
from pathlib import Path

from aggregator.errors import QueryFailed, StoreUnavailable
from aggregator.view.query_messages import (
    LARGEST_REQUEST,
    LENGTH,
    QueryRequest,
    QueryResult,
    frame,
    read_head,
)
from aggregator.view.query_socket import connect
from aggregator.waiting import waiting
from aggregator.wire.xpath import check_expression

log = logging.getLogger(__name__)

__all__ = ["QueryClient", "QueryRequest", "QueryResult"]

#: How long one waits for an evaluator that is being started again, in seconds.
PATIENCE = 10.0
_PAUSE = 0.05
#: Seconds for which an evaluator that was killed may still seem to take connections: the kernel
#: closes those it has and the one it listens on after each other.
_DYING = 2.0
#: Preparing, waiting for a turn and running may each take the timeout; then there is sending.
_SHARES = 3
_CREDENTIALS = struct.Struct("3i")
_MARGIN = 10.0


class QueryClient:
    """Asks the evaluator at `socket_path`; any number of threads may share one.

    `timeout` is that of an evaluation, in seconds.
    """

    def __init__(self, socket_path: Path, *, timeout: float, max_expression: int = 16_384) -> None:
        self._path = socket_path
        self._timeout = _SHARES * timeout + _MARGIN
        self._max_expression = max_expression

    def query(self, request: QueryRequest) -> QueryResult:
        """What the expression gives.

        Raises InvalidQuery for one that is no XPath 1.0, QueryFailed for one that could not be
        evaluated within the limits, ResourceUnknown where the entry is gone, StoreUnavailable
        where the evaluator can't be reached: it is asked once more when it goes away.
        """
        check_expression(request.expression, request.namespaces, longest=self._max_expression)
        message = frame(request)
        if len(message) > LARGEST_REQUEST:
            raise QueryFailed(
                f"there is a document of {len(message)} bytes, which is more than is evaluated; ask"
                " for what is before or after it",
                limit="document",
            )
        died, dying = 0, 0.0
        while True:
            evaluator = 0
            try:
                with waiting(), self._connect() as connection:
                    evaluator = _process(connection)
                    return self._ask(connection, message)
            except ConnectionError as error:
                if died and (evaluator != died or time.monotonic() > dying):
                    raise StoreUnavailable(
                        "the query evaluator went away twice while it had this expression; other "
                        "reads work, try again in a moment"
                    ) from error
                if not died:
                    log.warning("The query evaluator went away; the next one is asked")
                    died, dying = evaluator, time.monotonic() + _DYING
            time.sleep(_PAUSE)

    def _ask(self, connection: socket.socket, message: bytes) -> QueryResult:
        try:
            connection.sendall(message)
            (length,) = LENGTH.unpack(_read(connection, LENGTH.size))
            head = read_head(_read(connection, length))
            head.check()
            return QueryResult([_read(connection, n) for n in head.blocks], head.is_text)
        except TimeoutError as error:
            raise StoreUnavailable(
                f"the query evaluator did not answer in {self._timeout:g} s"
            ) from error

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return connect(self._path, timeout=self._timeout)
            except (FileNotFoundError, ConnectionError, BlockingIOError) as error:
                if time.monotonic() > deadline:
                    raise StoreUnavailable(
                        "the query evaluator is not running; other reads work, try again in a "
                        "moment"
                    ) from error
            time.sleep(_PAUSE)


def _process(connection: socket.socket) -> int:
    """The id of the process that listens at the other end."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(found)[0])


def _read(connection: socket.socket, size: int) -> bytes:
    data = bytearray(size)
    rest = memoryview(data)
    while rest:
        count = connection.recv_into(rest)
        if not count:
            raise ConnectionResetError("the evaluator closed the connection")
        rest = rest[count:]
    return bytes(data)
