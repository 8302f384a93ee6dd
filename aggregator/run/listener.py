"""The listening socket: bound by the supervisor, so that it outlives every web process."""

from __future__ import annotations

import errno
import socket
import time

from aggregator.config import ConfigurationError, Problem

#: After a kill -9 of the supervisor its children need a moment to leave the port.
_PATIENCE = 5.0
_BACKLOG = 2048


def bind(host: str, port: int) -> socket.socket:
    """A listening socket on `host` and `port` (0 for a free one).

    Raises ConfigurationError, saying what was asked for and what to do.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return _bind(host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            raise ConfigurationError(
                (
                    Problem(
                        f"{host} port {port} can't be listened on: {error.strerror}; choose "
                        "another --port, or end what uses it"
                    ),
                )
            ) from error


def _bind(host: str, port: int) -> socket.socket:
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
