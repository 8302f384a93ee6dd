"""Queues in the project's store that are fetched from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from aggregator.errors import BrokerUnreachable, StoreUnavailable
from aggregator.events.topics import matches
from aggregator.events.transport.queues import Fetched, KeptQueue
from aggregator.events.transport.store_subscription import delivery_of
from aggregator.store.engine import Store
from aggregator.store.event_queues import (
    Peeked,
    QueueGone,
    advance_queue,
    bind_queue,
    delete_queue,
    peek_events,
)

T = TypeVar("T")


class StoreQueues:
    """`Queues` of the log in a store, which is its owner's to close."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def bind(self, queue: KeptQueue) -> None:
        """See Queues."""
        unit = partial(
            bind_queue,
            name=queue.name,
            exchange=queue.exchange.name,
            pattern=queue.binding,
            auto_delete=False,
        )
        _told("binding a queue", lambda: self._store.writer.run(unit))

    def fetch(self, queue: KeptQueue, *, most: int, room: int) -> Fetched:
        """See Queues."""
        peek = partial(peek_events, name=queue.name, matches=matches, most=most, room=room)
        try:
            found = self._peeked(peek)
        except QueueGone:
            self.bind(queue)
            found = self._peeked(peek)
        return Fetched([delivery_of(one) for one in found.events], found, found.more)

    def _peeked(self, peek: Callable[[Any], Peeked]) -> Peeked:
        return _told("fetching events", lambda: self._store.query(peek))

    def acknowledge(self, queue: KeptQueue, receipt: Any) -> None:
        """See Queues."""
        if receipt.reached > receipt.came_from:
            unit = partial(
                advance_queue,
                name=queue.name,
                came_from=receipt.came_from,
                reached=receipt.reached,
            )
            _told("acknowledging events", lambda: self._store.writer.run(unit))

    def give_back(self, queue: KeptQueue, receipt: Any) -> None:
        """See Queues; it never left the log."""

    def delete(self, name: str) -> None:
        """See Queues."""
        _told("deleting a queue", lambda: self._store.writer.run(partial(delete_queue, name=name)))

    def close(self) -> None:
        """See Queues."""


def _told(doing: str, do: Callable[[], T]) -> T:
    try:
        return do()
    except StoreUnavailable as error:
        raise BrokerUnreachable(f"{doing}: {error}") from error
