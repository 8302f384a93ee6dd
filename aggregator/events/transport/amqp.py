"""Events through an AMQP broker such as RabbitMQ: publishing, each message confirmed."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import kombu

from aggregator.errors import BrokerUnavailable
from aggregator.events.settings import shown
from aggregator.events.transport.amqp_link import (
    TROUBLE,
    Backoff,
    Link,
    is_refusal,
    remaining,
    told,
)
from aggregator.events.transport.amqp_subscription import AmqpSubscription
from aggregator.events.transport.contract import Delivery, Exchange, Queue, Receiver

log = logging.getLogger(__name__)

#: Survives a restart of the broker where the queue does.
_PERSISTENT = 2
#: Seconds for which closing waits for a message that is under way.
_FAREWELL = 1.0


class AmqpTransport:
    """One connection for all that this process publishes, and one for each subscription."""

    def __init__(self, broker: str) -> None:
        self._broker = broker
        self._turn = threading.Lock()
        self._link: Link | None = None
        self._declared: set[Exchange] = set()

    def publish(self, delivery: Delivery, *, exchange: Exchange, timeout: float) -> bool:
        """See Transport.

        A connection that fails is made anew and the message sent again, so that it may arrive
        twice where only the confirmation was lost.
        """
        deadline = time.monotonic() + timeout
        doing = f"publishing {delivery.routing_key:.80}"
        if not self._turn.acquire(timeout=timeout):
            raise BrokerUnavailable(f"{doing}: {shown(self._broker)}: others wait for it already")
        try:
            return self._tried_again(delivery, exchange, deadline)
        except TROUBLE as error:
            raise told(error, self._broker, doing=doing) from error
        finally:
            self._turn.release()

    def subscribe(self, queue: Queue, receive: Receiver, *, timeout: float) -> AmqpSubscription:
        """See Transport."""
        subscription = AmqpSubscription(self._broker, queue, receive)
        subscription.begin(timeout=timeout)
        return subscription

    def close(self) -> None:
        """See Transport; not where a message is still under way."""
        if self._turn.acquire(timeout=_FAREWELL):
            try:
                if self._link is not None:
                    self._link.close()
                self._drop()
            finally:
                self._turn.release()

    def _tried_again(self, delivery: Delivery, exchange: Exchange, deadline: float) -> bool:
        backoff = Backoff(first=0.05, most=1.0)
        while True:
            try:
                return self._publish(delivery, exchange, deadline)
            except TROUBLE as error:
                self._drop()
                wait = backoff.wait()
                if is_refusal(error) or time.monotonic() + wait >= deadline:
                    raise
                log.debug("Publishing to %s again: %s", shown(self._broker), error)
                time.sleep(wait)

    def _publish(self, delivery: Delivery, exchange: Exchange, deadline: float) -> bool:
        link = self._link
        if link is None:
            link = Link(self._broker, timeout=remaining(deadline), confirm=True, heartbeat=0)
            self._link = link
        if exchange not in self._declared:
            link.declare(exchange, timeout=remaining(deadline))
            self._declared.add(exchange)
        returned: list[Any] = []
        producer = kombu.Producer(
            link.channel, auto_declare=False, on_return=lambda *message: returned.append(message)
        )
        try:
            with link.within(remaining(deadline)):
                producer.publish(
                    delivery.body,
                    routing_key=delivery.routing_key,
                    exchange=exchange.name,
                    content_type=delivery.content_type,
                    content_encoding="binary",
                    headers=dict(delivery.headers),
                    delivery_mode=_PERSISTENT,
                    mandatory=True,
                    retry=False,
                )
        finally:
            # The channel outlives the producer, and would keep what each of them listens with.
            link.channel.events["basic_return"].clear()
        return not returned

    def _drop(self) -> None:
        self._declared.clear()
        if self._link is not None:
            self._link.drop()
            self._link = None
