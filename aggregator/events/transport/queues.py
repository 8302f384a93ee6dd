"""Durable queues that are fetched from now and then, instead of subscribed to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aggregator.events.transport.contract import Delivery, Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptQueue:
    """A durable queue of an exchange, bound to a topic's pattern.

    What waits in it is kept for `age` seconds, `length` messages at most; one that nobody has
    fetched from for twice that time may be gone.
    """

    name: str
    exchange: Exchange
    binding: str
    age: float
    length: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a queue had; `receipt` is what `acknowledge` takes, `more` whether there may be more."""

    deliveries: Sequence[Delivery]
    receipt: Any
    more: bool


class Queues(Protocol):
    """Queues at one broker; used by one thread at a time.

    All raise BrokerUnavailable within the time-out, and BrokerRefused.
    """

    def bind(self, queue: KeptQueue) -> None:
        """Have the queue there, bound: it takes what is published after this returns."""

    def fetch(self, queue: KeptQueue, *, most: int, room: int) -> Fetched:
        """What waits, at most `most` messages, and as many as make `room` bytes.

        It stays in the queue until it is acknowledged. A queue that is gone is made anew, where
        that can be with what it would have had.
        """

    def acknowledge(self, queue: KeptQueue, receipt: Any) -> None:
        """Have what was fetched leave the queue. Where that fails it is fetched again."""

    def give_back(self, queue: KeptQueue, receipt: Any) -> None:
        """Leave what was fetched in the queue, to be fetched again at once."""

    def delete(self, name: str) -> None:
        """Delete a queue with what waits in it. Safe twice."""

    def close(self) -> None:
        """Take leave of the broker."""
