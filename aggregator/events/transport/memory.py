"""Events within one process: queues that are bound as those of a broker are."""

from __future__ import annotations

import threading
from collections import deque

from aggregator.events import metrics
from aggregator.events.topics import matches
from aggregator.events.transport.contract import Delivery, Exchange, Queue, Receiver

#: Messages that one queue holds; the oldest is dropped for a newer one.
MOST = 100_000


class MemoryTransport:
    """Holds queues by name. Nothing outlives the process, so `durable` means nothing here."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._queues: list[MemoryQueue] = []

    def publish(self, delivery: Delivery, *, exchange: Exchange, timeout: float) -> bool:
        """See Transport; there is nothing to wait for."""
        with self._changing:
            found = [one for one in self._queues if one.wants(exchange.name, delivery.routing_key)]
            for queue in found:
                queue.put(delivery)
        return bool(found)

    def subscribe(self, queue: Queue, receive: Receiver, *, timeout: float) -> MemorySubscription:
        """See Transport."""
        with self._changing:
            found = next(
                (one for one in self._queues if queue.name and one.name == queue.name), None
            )
            if found is None:
                found = MemoryQueue(queue.name, auto_delete=queue.auto_delete or not queue.name)
                self._queues.append(found)
            found.bindings.add((queue.exchange.name, queue.binding))
            found.subscribers += 1
        return MemorySubscription(self, found, receive)

    def close(self) -> None:
        """See Transport; there is nothing to close."""

    def leave(self, queue: MemoryQueue) -> None:
        """Take note that a subscriber of a queue is gone."""
        with self._changing:
            queue.subscribers -= 1
            if queue.auto_delete and not queue.subscribers:
                self._queues.remove(queue)


class MemoryQueue:
    """Messages that wait, and the subscribers that take them in turn."""

    def __init__(self, name: str, *, auto_delete: bool) -> None:
        self.name = name
        self.auto_delete = auto_delete
        self.bindings: set[tuple[str, str]] = set()
        self.subscribers = 0
        self._waiting: deque[Delivery] = deque()
        # Subscribers that have nothing to do, each by what says that it has ended.
        self._idle: deque[threading.Event] = deque()
        self._changed = threading.Condition()

    def wants(self, exchange: str, key: str) -> bool:
        """Whether a message of this topic is for this queue."""
        return any(of == exchange and matches(pattern, key) for of, pattern in self.bindings)

    def put(self, delivery: Delivery) -> None:
        """Let a message wait."""
        with self._changed:
            if len(self._waiting) >= MOST:
                self._waiting.popleft()
                metrics.DROPPED.labels("memory").inc()
            self._waiting.append(delivery)
            # One that has just ended might be the only one that a single call wakes up.
            self._changed.notify_all()

    def take(self, ended: threading.Event) -> Delivery | None:
        """The next message, once there is one; None once `ended` is set.

        Of several that wait, who has waited longest gets it, so that they share the work.
        """
        with self._changed:
            self._idle.append(ended)
            self._changed.wait_for(
                lambda: ended.is_set() or (self._waiting and self._idle[0] is ended)
            )
            self._idle.remove(ended)
            # The turn has passed to the next one.
            self._changed.notify_all()
            return None if ended.is_set() else self._waiting.popleft()

    def end(self, ended: threading.Event) -> None:
        """Set `ended` and wake up who waits for messages."""
        with self._changed:
            ended.set()
            self._changed.notify_all()


class MemorySubscription:
    """A thread that takes messages from a queue."""

    def __init__(self, transport: MemoryTransport, queue: MemoryQueue, receive: Receiver) -> None:
        self._transport = transport
        self._queue = queue
        self._receive = receive
        self._ended = threading.Event()
        self._cancelling = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="events-memory", daemon=True)
        self._thread.start()

    def cancel(self, *, timeout: float) -> None:
        """See Subscription."""
        with self._cancelling:
            if not self._ended.is_set():
                self._queue.end(self._ended)
                self._transport.leave(self._queue)
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _work(self) -> None:
        while (delivery := self._queue.take(self._ended)) is not None:
            self._receive(delivery)
