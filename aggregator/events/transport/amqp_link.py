"""A connection to an AMQP broker, opened and used within limits of time."""

from __future__ import annotations

import random
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import kombu
from amqp import exceptions as amqp_errors
from kombu.exceptions import KombuError

from aggregator.errors import BrokerRefused, BrokerUnavailable
from aggregator.events.settings import shown
from aggregator.events.transport.amqp_frames import AsItCame, readable_frames
from aggregator.events.transport.contract import Exchange

#: Seconds between two signs of life; a broker that is silent for two of them is taken for dead.
HEARTBEAT = 10
#: Seconds for which a connection that is closed waits for the broker to say good-bye.
_FAREWELL = 2.0
#: What the library raises when the broker or the way to it is in trouble. Its own code stumbles
#: over what was taken away (None, a missing key) when a connection ends in the midst of a call.
TROUBLE = (
    amqp_errors.AMQPError,
    # A broker that did not take a message, which is no AMQPError.
    amqp_errors.MessageNacked,
    KombuError,
    OSError,
    AttributeError,
    KeyError,
)
#: Answers that stay the same however often one asks.
_REFUSALS = (
    amqp_errors.AccessRefused,
    amqp_errors.PreconditionFailed,
    amqp_errors.NotAllowed,
    amqp_errors.ResourceLocked,
    amqp_errors.InvalidPath,
)


class Link:
    """A connection and its one channel; used by one thread at a time."""

    def __init__(self, broker: str, *, timeout: float, confirm: bool, heartbeat: int) -> None:
        """Connect; `timeout` in seconds. Raises what `told` tells."""
        connection = kombu.Connection(
            broker,
            connect_timeout=timeout,
            heartbeat=heartbeat,
            ssl=_tls(broker),
            transport_options={"confirm_publish": confirm, "frame_handler": readable_frames},
        )
        connection.ensure_connection(
            max_retries=1, interval_start=0, interval_step=0, timeout=timeout
        )
        # The connection as it is: kombu's own would connect again unasked where it was lost.
        self.wire: Any = connection.connection
        try:
            with self.within(timeout):
                self.channel: Any = self.wire.channel()
            # Bodies are handed over as they came, whatever is said of their encoding.
            self.channel.auto_decode = False
            self.channel.Message = AsItCame
        except BaseException:
            self.drop()
            raise

    @contextmanager
    def within(self, timeout: float) -> Iterator[None]:
        """No wait for the broker in the block is longer than `timeout` seconds."""
        if not self.wire.connected:
            raise ConnectionResetError("the connection is lost")
        with self.wire.transport.having_timeout(max(timeout, 0.001)):
            yield

    def declare(self, exchange: Exchange, *, timeout: float) -> kombu.Exchange:
        """Have the exchange there."""
        with self.within(timeout):
            wanted = kombu.Exchange(
                exchange.name, "topic", durable=exchange.durable, auto_delete=False
            )
            bound: kombu.Exchange = wanted(self.channel)
            bound.declare()
        return bound

    def close(self) -> None:
        """Take leave of the broker, so that it knows at once what was done and what was not."""
        with suppress(*TROUBLE), self.within(_FAREWELL):
            self.wire.close()
        self.drop()

    def drop(self) -> None:
        """Close without a word."""
        with suppress(*TROUBLE):
            self.wire.collect()


class Backoff:
    """How long to wait before trying again: longer each time, and never as long as others do."""

    def __init__(self, *, first: float = 0.1, most: float = 10.0) -> None:
        self._first, self._most = first, most
        self._next = first

    def reset(self) -> None:
        """Begin anew, after a success."""
        self._next = self._first

    def wait(self) -> float:
        """Seconds to wait now."""
        limit, self._next = self._next, min(2 * self._next, self._most)
        return random.uniform(limit / 2, limit)


def told(error: BaseException, broker: str, *, doing: str) -> BrokerRefused | BrokerUnavailable:
    """The error of ours for one of the library; `doing` says what was tried."""
    cause = error.__cause__ if isinstance(error, KombuError) and error.__cause__ else error
    reason = str(cause).strip() or type(cause).__name__
    text = f"{doing}: {shown(broker)}: {reason[:300]}"
    if is_refusal(cause):
        return BrokerRefused(text)
    return BrokerUnavailable(text)


def is_refusal(error: BaseException) -> bool:
    """Whether the broker would say the same again."""
    return isinstance(error, _REFUSALS)


def remaining(deadline: float) -> float:
    """Seconds until `deadline`, by the monotonic clock; TimeoutError where there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    return left


def _tls(broker: str) -> dict[str, Any] | bool:
    """Certificates are verified by what the system trusts, or what SSL_CERT_FILE names."""
    url = urlsplit(broker.partition(";")[0])
    if url.scheme != "amqps":
        return False
    return {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": url.hostname or socket.gethostname()}
