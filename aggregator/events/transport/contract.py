"""What publishers and subscribers ask of a transport."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Exchange:
    """A topic exchange; `durable` if it outlives a restart of the broker."""

    name: str
    durable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue, and what is delivered to it: events of `exchange` whose topic `binding` matches.

    An empty name makes it a queue of its own, gone when its subscriber is. `auto_delete` removes
    a named one when its last subscriber is gone, `durable` keeps it over a restart of the broker.
    """

    exchange: Exchange
    binding: str
    name: str = ""
    durable: bool = False
    auto_delete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message on its way."""

    routing_key: str
    body: bytes
    content_type: str = ""
    headers: Mapping[str, Any] = field(default_factory=dict)


#: Called with each message, one after the other; must not raise.
Receiver = Callable[[Delivery], None]


class Subscription(Protocol):
    """A queue that is being received from."""

    def cancel(self, *, timeout: float) -> None:
        """End; no call of the receiver begins after this returns. Safe twice, and within a call.

        Waits up to `timeout` seconds for a call that is under way.
        """


class Transport(Protocol):
    """Carries messages."""

    def publish(self, delivery: Delivery, *, exchange: Exchange, timeout: float) -> bool:
        """Hand a message over; whether anybody's queue took it.

        Returns when it is safe there. Raises BrokerUnavailable within `timeout` seconds; whether
        the message was taken is in doubt then. Raises BrokerRefused.
        """

    def subscribe(self, queue: Queue, receive: Receiver, *, timeout: float) -> Subscription:
        """Receive from a queue, which is bound when this returns, for ever.

        A connection that is lost is made anew, and the queue bound again. Raises
        BrokerUnavailable where that can't be done at first within `timeout` seconds, and
        BrokerRefused.
        """

    def close(self) -> None:
        """Take leave of the broker; whatever is published later connects again."""
