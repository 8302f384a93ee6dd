"""HTTP connections that keep one deadline for the whole exchange.

The timeouts of the libraries below bound each read alone, so a server that sends one byte a
second would hold its caller for ever.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http import client as http
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from aggregator.client.security import TlsContext

_deadline: ContextVar[float] = ContextVar("deadline")


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Every exchange in this block, together, ends within `seconds` from now."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def _remaining() -> float | None:
    until = _deadline.get(None)
    if until is None:
        return None
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left


class _TimedReader(io.RawIOBase):
    """Reads from a socket and gives each read only the time that is left."""

    def __init__(self, raw: Any, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_remaining())
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedReader(self.fp.detach(), sock))


class _TimedHttp(HTTPConnection):
    response_class = _TimedResponse

    def send(self, data: Any) -> None:
        if self.sock is None and self.auto_open:
            self.connect()
        if self.sock is not None:
            self.sock.settimeout(_remaining())
        super().send(data)


class _TimedHttps(_TimedHttp, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _TimedHttp


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _TimedHttps


_POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _HttpPool, "https": _HttpsPool}


class TimedAdapter(HTTPAdapter):
    """Carries requests over such connections, with our own TLS context alone."""

    def __init__(self, tls: TlsContext) -> None:
        self._tls = tls
        super().__init__()

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **kwargs: Any
    ) -> None:
        """As the parent's, with our connections and our TLS."""
        kwargs |= self._tls_options()
        super().init_poolmanager(connections, maxsize, block, **kwargs)
        self.poolmanager.pool_classes_by_scheme = dict(_POOLS)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """As the parent's, with our connections and our TLS."""
        manager = super().proxy_manager_for(proxy, **kwargs, **self._tls_options())
        manager.pool_classes_by_scheme = dict(_POOLS)
        return manager

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the parent would add the authorities of a package to those that we trust."""

    def _tls_options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"ssl_context": self._tls}
        if not self._tls.check_hostname:
            options["assert_hostname"] = False
        return options
