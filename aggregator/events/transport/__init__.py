"""What carries events from publishers to the queues of subscribers; chosen by the broker's URL."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from aggregator.errors import BrokerRefused
from aggregator.events.settings import shown
from aggregator.events.transport.contract import (
    Delivery,
    Exchange,
    Queue,
    Subscription,
    Transport,
)

__all__ = [
    "TRANSPORTS",
    "Delivery",
    "Exchange",
    "Queue",
    "Subscription",
    "Transport",
    "connect",
    "disconnect",
]


def _memory(broker: str) -> Transport:
    from aggregator.events.transport.memory import MemoryTransport  # noqa: PLC0415

    return MemoryTransport()


def _amqp(broker: str) -> Transport:
    # What has no broker never loads the library.
    from aggregator.events.transport.amqp import AmqpTransport  # noqa: PLC0415

    return AmqpTransport(broker)


def _store(broker: str) -> Transport:
    # Nor does what uses none of it load the store.
    from aggregator.events.transport.store import StoreTransport  # noqa: PLC0415

    return StoreTransport(broker)


#: Transports by the scheme of the broker's URL; a further one is one more line.
TRANSPORTS: dict[str, Callable[[str], Transport]] = {
    "": _memory,
    "memory": _memory,
    "amqp": _amqp,
    "amqps": _amqp,
    "sqlite": _store,
    "postgresql": _store,
    "postgresql+psycopg": _store,
}

_made: dict[str, Transport] = {}
_making = threading.Lock()


def connect(broker: str) -> Transport:
    """The transport that this process has to a broker; nothing is connected before it is used.

    Raises BrokerRefused for an URL of no kind that is spoken here.
    """
    scheme = urlsplit(broker).scheme
    known = ", ".join(f"{name}://" for name in TRANSPORTS if name)
    if scheme not in TRANSPORTS or (broker and not scheme):
        raise BrokerRefused(f"{shown(broker)} is no broker that is spoken here; known are {known}")
    with _making:
        if broker not in _made:
            _made[broker] = TRANSPORTS[scheme](broker)
        return _made[broker]


def disconnect() -> None:
    """Take leave of all brokers; done when the process ends, too."""
    with _making:
        found = list(_made.values())
    for transport in found:
        transport.close()


def _forget() -> None:
    """In a forked child: connections belong to the parent, locks may be held by its threads."""
    global _making  # noqa: PLW0603
    _making = threading.Lock()
    _made.clear()


os.register_at_fork(after_in_child=_forget)
atexit.register(disconnect)
