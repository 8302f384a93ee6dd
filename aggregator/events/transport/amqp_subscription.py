"""A subscription at an AMQP broker: a thread that receives, and connects again for ever."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from contextlib import closing, suppress
from typing import Any

import kombu

from aggregator.errors import BrokerUnavailable
from aggregator.events import metrics
from aggregator.events.settings import shown
from aggregator.events.transport.amqp_link import (
    HEARTBEAT,
    TROUBLE,
    Backoff,
    Link,
    is_refusal,
    remaining,
    told,
)
from aggregator.events.transport.contract import Delivery, Queue, Receiver

log = logging.getLogger(__name__)

#: Messages that the broker sends ahead; those of a shared queue that wait here can't be taken by
#: another subscriber.
_AHEAD = 20
#: Seconds between two looks at whether the subscription was cancelled.
_LOOK = 0.25
#: Seconds that making a connection anew may take.
_ANEW = 10.0


class AmqpSubscription:
    """Receives from one queue on a connection of its own."""

    def __init__(self, broker: str, queue: Queue, receive: Receiver) -> None:
        self._broker = broker
        self._queue = queue
        self._receive = receive
        self._cancelled = threading.Event()
        # Set when the queue is bound for the first time, or can't be.
        self._begun = threading.Event()
        self._failure: BaseException | None = None
        self._deadline = 0.0
        self._thread = threading.Thread(target=self._work, name="events-amqp", daemon=True)

    def begin(self, *, timeout: float) -> None:
        """Return once the queue is bound; see Transport.subscribe."""
        self._deadline = time.monotonic() + timeout
        self._thread.start()
        self._begun.wait(timeout)
        failure = self._failure
        if failure is None and self._begun.is_set():
            return
        self._cancelled.set()
        doing = f"binding {self._queue.name or 'a queue'} to {self._queue.binding:.80}"
        if failure is None:
            text = f"{doing}: {shown(self._broker)}: no answer in {timeout:g} s"
            raise BrokerUnavailable(text)
        raise told(failure, self._broker, doing=doing) from failure

    def cancel(self, *, timeout: float) -> None:
        """See Subscription."""
        self._cancelled.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)
            if self._thread.is_alive():
                log.warning(
                    "A handler of %s has not returned in %g s and is left alone",
                    self._queue.binding,
                    timeout,
                )

    def _work(self) -> None:
        backoff = Backoff()
        while not self._cancelled.is_set():
            try:
                with closing(self._bound()) as receiving:
                    self._note_bound(backoff)
                    receiving.work(self._cancelled)
            except Exception as error:
                if not self._begun.is_set() and self._gives_up(error):
                    return
                self._tell(error)
            self._cancelled.wait(backoff.wait())

    def _bound(self) -> _Receiving:
        first = not self._begun.is_set()
        deadline = self._deadline if first else time.monotonic() + _ANEW
        return _Receiving(self._broker, self._queue, self._receive, deadline=deadline)

    def _note_bound(self, backoff: Backoff) -> None:
        backoff.reset()
        if self._begun.is_set():
            metrics.RECONNECTED.inc()
            log.info("Bound to %s at %s again", self._queue.binding, shown(self._broker))
        self._begun.set()

    def _gives_up(self, error: Exception) -> bool:
        """Whether it failed for good before it ever was bound; then `begin` tells why."""
        self._failure = error
        if not is_refusal(error) and time.monotonic() < self._deadline:
            self._failure = None
            return False
        self._begun.set()
        return True

    def _tell(self, error: Exception) -> None:
        if self._cancelled.is_set():
            return
        where = shown(self._broker)
        if isinstance(error, TROUBLE):
            log.warning("The connection to %s is lost, trying again: %s", where, error)
        else:
            log.error("Receiving from %s failed, trying again", where, exc_info=error)


class _Receiving:
    """The time for which one connection lasts."""

    def __init__(self, broker: str, queue: Queue, receive: Receiver, *, deadline: float) -> None:
        self._receive = receive
        self._arrived: deque[Any] = deque()
        # The connection belongs to who holds this: the thread that receives, but not while a
        # handler runs; signs of life are sent by another thread then.
        self._holding = threading.Lock()
        self._ended = threading.Event()
        self._link = Link(broker, timeout=remaining(deadline), confirm=False, heartbeat=HEARTBEAT)
        try:
            self._consume(queue, deadline)
        except BaseException:
            self._link.close()
            raise
        threading.Thread(target=self._beat, name="events-heartbeat", daemon=True).start()

    def _consume(self, queue: Queue, deadline: float) -> None:
        link = self._link
        exchange = link.declare(queue.exchange, timeout=remaining(deadline))
        wanted = kombu.Queue(
            queue.name,
            exchange=exchange,
            routing_key=queue.binding,
            durable=queue.durable and bool(queue.name),
            auto_delete=queue.auto_delete or not queue.name,
            exclusive=not queue.name,
        )
        with link.within(remaining(deadline)):
            consumer = kombu.Consumer(
                link.channel,
                [wanted],
                on_message=self._arrived.append,
                auto_declare=False,
                prefetch_count=_AHEAD,
            )
            for bound in consumer.queues:
                bound.declare()
            consumer.consume()

    def work(self, cancelled: threading.Event) -> None:
        """Receive until it is cancelled, or raise what ends the connection."""
        wire = self._link.wire
        while not cancelled.is_set():
            with self._holding:
                with suppress(TimeoutError):
                    wire.drain_events(timeout=_LOOK)
                wire.heartbeat_tick()
            while self._arrived and not cancelled.is_set():
                message = self._arrived.popleft()
                self._receive(delivery_of(message))
                with self._holding, self._link.within(HEARTBEAT):
                    message.ack()

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT / 3):
            # Who holds the connection sends them by itself.
            if self._holding.acquire(blocking=False):
                try:
                    with suppress(*TROUBLE), self._link.within(HEARTBEAT):
                        self._link.wire.send_heartbeat()
                finally:
                    self._holding.release()

    def close(self) -> None:
        """Give back what was not handled, and leave."""
        self._ended.set()
        with self._holding:
            self._link.close()


def delivery_of(message: Any) -> Delivery:
    """The message as it was published."""
    headers = dict(message.headers or {})
    if named := (message.properties or {}).get("type"):
        headers.setdefault("message-type-id", named)
    body = message.body
    return Delivery(
        routing_key=str(message.delivery_info.get("routing_key", "")),
        body=body if isinstance(body, bytes) else str(body).encode(),
        content_type=str(message.content_type or ""),
        headers=headers,
    )
