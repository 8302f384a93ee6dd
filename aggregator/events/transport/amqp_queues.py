"""Queues at an AMQP broker that are fetched from: one connection for all of a process."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import kombu
from amqp import exceptions as amqp_errors

from aggregator.errors import BrokerUnreachable
from aggregator.events.transport.amqp_link import (
    HEARTBEAT,
    TROUBLE,
    Link,
    is_refusal,
    remaining,
    told,
)
from aggregator.events.transport.amqp_subscription import delivery_of
from aggregator.events.transport.contract import Delivery
from aggregator.events.transport.queues import Fetched, KeptQueue

T = TypeVar("T")

#: Of the time for a call, what is left for another try, on a new connection.
_ANEW = 0.4


class AmqpQueues:
    """`Queues` of an AMQP broker; `timeout` in seconds is for each call.

    What was fetched and not acknowledged when the connection ends, however it ends, is the
    broker's to deliver again.
    """

    def __init__(self, broker: str, *, timeout: float) -> None:
        self._broker = broker
        self._timeout = timeout
        self._link: Link | None = None
        # Those that are known to be bound, by name, for as long as the connection lasts.
        self._bound: set[str] = set()

    def bind(self, queue: KeptQueue) -> None:
        """See Queues."""

        def bind(deadline: float) -> None:
            link = self._linked(deadline)
            exchange = link.declare(queue.exchange, timeout=remaining(deadline))
            with link.within(remaining(deadline)):
                _wanted(queue, exchange)(link.channel).declare()
            self._bound.add(queue.name)

        self._tried(f"binding a queue to {queue.binding:.80}", bind)

    def fetch(self, queue: KeptQueue, *, most: int, room: int) -> Fetched:
        """See Queues."""

        def fetch(deadline: float) -> Fetched:
            link = self._linked(deadline)
            if queue.name not in self._bound:
                self._bind_again(queue, link, deadline)
            return _fetched(queue, link, most, room, deadline)

        return self._tried(f"fetching events of {queue.binding:.80}", fetch)

    def acknowledge(self, queue: KeptQueue, receipt: Any) -> None:
        """See Queues."""
        self._settle(queue, receipt, lambda channel, tag: channel.basic_ack(tag))

    def give_back(self, queue: KeptQueue, receipt: Any) -> None:
        """See Queues."""
        self._settle(queue, receipt, lambda channel, tag: channel.basic_reject(tag, requeue=True))

    def delete(self, name: str) -> None:
        """See Queues."""

        def delete(deadline: float) -> None:
            link = self._linked(deadline)
            with link.within(remaining(deadline)), suppress(amqp_errors.NotFound):
                link.channel.queue_delete(queue=name)
            self._bound.discard(name)

        self._tried("deleting a queue", delete)

    def close(self) -> None:
        """See Queues."""
        if self._link is not None:
            self._link.close()
        self._drop()

    def _settle(self, queue: KeptQueue, receipt: Any, settle: Callable[[Any, int], None]) -> None:
        channel, tags = receipt
        link = self._link
        if not tags or link is None or channel is not link.channel:
            # The connection that they came on has ended, so that they are in the queue again.
            return
        try:
            with link.within(self._timeout):
                for tag in tags:
                    settle(channel, tag)
                # An answer tells that the broker has read what came before.
                channel.basic_qos(0, 0, False)
        except TROUBLE as error:
            self._drop()
            doing = f"settling events of {queue.binding:.80}"
            raise told(error, self._broker, doing=doing) from error
        except Exception:
            self._drop()
            raise

    def _bind_again(self, queue: KeptQueue, link: Link, deadline: float) -> None:
        """What was bound may be so no more, after a restart of the broker or a long absence."""
        exchange = link.declare(queue.exchange, timeout=remaining(deadline))
        with link.within(remaining(deadline)):
            # On a channel of its own: it is closed where there is no such queue.
            channel = link.wire.channel()
            try:
                channel.queue_bind(
                    queue=queue.name, exchange=exchange.name, routing_key=queue.binding
                )
                channel.close()
            except amqp_errors.NotFound:
                _wanted(queue, exchange)(link.channel).declare()
        self._bound.add(queue.name)

    def _tried(self, doing: str, do: Callable[[float], T]) -> T:
        """What it returns; tried once more on a new connection, the old one may just be lost."""
        deadline = time.monotonic() + self._timeout
        try:
            if self._link is None:
                return do(deadline)
            try:
                return do(deadline - _ANEW * self._timeout)
            except TROUBLE as error:
                if is_refusal(error):
                    raise
                self._drop()
                return do(deadline)
        except TROUBLE as error:
            found = told(error, self._broker, doing=doing)
            if self._link is None:
                found = BrokerUnreachable(str(found))
            self._drop()
            raise found from error
        except Exception:
            # Whatever it is: nobody knows what the connection has still to say.
            self._drop()
            raise

    def _linked(self, deadline: float) -> Link:
        # Each call is a sign of life; where none comes for long the broker ends the connection,
        # and what was fetched on it is another's.
        if self._link is None:
            self._link = Link(
                self._broker, timeout=remaining(deadline), confirm=False, heartbeat=HEARTBEAT
            )
        return self._link

    def _drop(self) -> None:
        self._bound.clear()
        if self._link is not None:
            self._link.drop()
            self._link = None


def _wanted(queue: KeptQueue, exchange: kombu.Exchange) -> kombu.Queue:
    return kombu.Queue(
        queue.name,
        exchange=exchange,
        routing_key=queue.binding,
        durable=True,
        auto_delete=False,
        expires=2 * queue.age,
        message_ttl=queue.age,
        max_length=queue.length,
    )


def _fetched(queue: KeptQueue, link: Link, most: int, room: int, deadline: float) -> Fetched:
    source = kombu.Queue(queue.name)(link.channel)
    found: list[Delivery] = []
    tags: list[int] = []
    while len(found) < most and room > 0:
        with link.within(remaining(deadline)):
            message = source.get()
        if message is None:
            return Fetched(found, (link.channel, tags), more=False)
        tags.append(message.delivery_tag)
        found.append(delivery_of(message))
        room -= len(found[-1].body)
    return Fetched(found, (link.channel, tags), more=True)
