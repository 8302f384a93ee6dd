"""Queues in the project's store that are fetched from."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from aggregator.errors import BrokerUnreachable, StoreUnavailable
from aggregator.events import metrics
from aggregator.events.topics import matches
from aggregator.events.transport.logged import delivery_of
from aggregator.events.transport.queues import Fetched, KeptQueue
from aggregator.store.engine import Store
from aggregator.store.event_fetching import Peeked, advance_queue, peek_events, use_queue
from aggregator.store.event_queues import QueueGone, bind_queue, delete_queue
from aggregator.wire.times import SECOND

log = logging.getLogger(__name__)
T = TypeVar("T")

#: Of the time for which events are kept, after how much it is noted that a queue is in use.
_NOTED = 0.1


class StoreQueues:
    """`Queues` of the log in a store, which is its owner's to close."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def bind(self, queue: KeptQueue) -> None:
        """See Queues."""
        self._bind(queue, anew=False)

    def _bind(self, queue: KeptQueue, *, anew: bool) -> None:
        unit = partial(
            bind_queue,
            name=queue.name,
            exchange=queue.exchange.name,
            pattern=queue.binding,
            fetched=True,
            anew=anew,
        )
        _told("binding a queue", lambda: self._store.writer.run(unit))

    def fetch(self, queue: KeptQueue, *, most: int, room: int) -> Fetched:
        """See Queues."""
        peek = partial(peek_events, name=queue.name, matches=matches, most=most, room=room)
        try:
            found = self._peeked(peek)
        except QueueGone:
            # Whoever fetches had it made before all that is kept.
            self._bind(queue, anew=True)
            found = self._peeked(peek)
        if self._store.clock.now() - found.used > _NOTED * queue.age * SECOND:
            use = partial(use_queue, name=queue.name)
            _told("fetching events", lambda: self._store.writer.run(use))
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
            moved = _told("acknowledging events", lambda: self._store.writer.run(unit))
            if moved and receipt.lost:
                metrics.DROPPED.labels("store").inc(receipt.lost)
                log.warning("%d events had left the log before they were fetched", receipt.lost)

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
