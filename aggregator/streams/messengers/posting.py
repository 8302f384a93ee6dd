"""Posting a message to an address, for the messengers that do so: bounded, one at a time."""

from __future__ import annotations

import threading
from typing import Any

from aggregator.client.call_log import without_secrets
from aggregator.client.security import Credentials, tls_context
from aggregator.client.transport import BoundedTransport, Reply, is_address
from aggregator.config.secrets import without_passwords
from aggregator.errors import MessageNotSent, MessageRefused, RemoteError, StreamRefused
from aggregator.store.stream_columns import shown

USER_AGENT = "mds-aggregator"

#: Bytes of a reply that are read, and seconds for a connection.
_LIMIT, _CONNECT = 2**18, 5.0
#: Answers of the kind 4xx that may be others the next time, or are no fault of the rows: who must
#: wait, log in, be let in, or be told of fewer destinations.
PASSING = frozenset({401, 403, 404, 407, 408, 409, 421, 423, 424, 425, 429, 431})


class Post:
    """The way to one address. Threads that send take turns.

    Raises StreamRefused for an address that is none, ConfigError for certificates that can't be
    used.
    """

    def __init__(
        self, url: str, *, timeout: float, ca: str = "", credentials: Credentials | None = None
    ) -> None:
        if not isinstance(url, str) or not is_address(url):
            raise StreamRefused(
                f"{without_passwords(shown(url))} is no address such as https://host:8443/path"
            )
        if not timeout > 0:
            raise StreamRefused(f"timeout must be above zero, in seconds; given was {timeout!r}")
        self.url = url
        #: The address as it may be shown.
        self.shown = without_secrets(url)
        self._timeout = timeout
        self._turn = threading.Lock()
        self._transport = BoundedTransport(
            tls_context(credentials, ca=ca), connect_timeout=_CONNECT, limit=_LIMIT
        )

    def __call__(self, body: bytes, headers: dict[str, str]) -> Reply:
        """The answer, of whatever status; raises MessageNotSent where there is none."""
        try:
            with self._turn:
                return self._transport.exchange(
                    self.url, body, headers=headers, timeout=self._timeout
                )
        except RemoteError as error:
            raise MessageNotSent(str(error).replace(self.url, self.shown)) from error


def as_bytes(message: Any) -> bytes:
    """A message as what is sent of it; raises MessageRefused for what is neither text nor bytes."""
    if isinstance(message, str):
        try:
            return message.encode()
        except UnicodeEncodeError as error:
            raise MessageRefused("the message has lone surrogates in it") from error
    if isinstance(message, bytes | bytearray | memoryview):
        return bytes(message)
    raise MessageRefused(
        f"the formatter made a {type(message).__name__}; this messenger sends texts and bytes"
    )
