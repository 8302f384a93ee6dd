"""Events through the project's store: for processes that share it and have no broker."""

from __future__ import annotations

import logging
import secrets
import threading
from functools import partial
from pathlib import Path
from typing import Any

from aggregator.errors import BrokerUnavailable, ConfigError, StoreUnavailable
from aggregator.events.settings import shown
from aggregator.events.transport.contract import Delivery, Exchange, Queue, Receiver
from aggregator.events.transport.logged import append_delivery
from aggregator.events.transport.store_subscription import (
    NamedReading,
    OwnReading,
    Reading,
    StoreSubscription,
)
from aggregator.store.engine import Store, open_store
from aggregator.store.event_log import last_event

log = logging.getLogger(__name__)

#: Seconds between two signs of life of who receives.
_SIGN = 3.0
#: Seconds for which closing waits for a handler that is under way.
_FAREWELL = 1.0
_POOL = 4


class StoreTransport:
    """The log of events in a store that was migrated. Publishing is one committed transaction.

    `broker` is the URL of the store; a `store` that is given stays its owner's to close.
    """

    def __init__(self, broker: str, store: Store | None = None) -> None:
        self._broker = broker
        self._given = store
        self._opened: Store | None = None
        self._opening = threading.Lock()
        # Wakes up those who receive in this process.
        self.published = threading.Condition()
        self._readings: dict[str, NamedReading] = {}
        self._subscriptions: set[StoreSubscription] = set()
        # Ends the thread that gives signs of life, where there is one.
        self._signing: threading.Event | None = None

    def publish(self, delivery: Delivery, *, exchange: Exchange, timeout: float) -> bool:
        """See Transport; an event is kept for a while, whoever reads it then."""
        unit = partial(append_delivery, delivery=delivery, exchange=exchange.name)
        self.write(unit, doing=f"publishing {delivery.routing_key:.80}", timeout=timeout)
        with self.published:
            self.published.notify_all()
        return True

    def subscribe(self, queue: Queue, receive: Receiver, *, timeout: float) -> StoreSubscription:
        """See Transport. A queue with a name is as durable as the store."""
        reading: Reading
        if queue.name:
            reading = self._named(queue, timeout=timeout)
        else:
            doing = f"binding a queue to {queue.binding:.80}"
            last = self.ask(last_event, doing=doing)
            reading = OwnReading(self, queue, last)
        subscription = StoreSubscription(self, reading, receive)
        with self._opening:
            self._subscriptions.add(subscription)
        return subscription

    def _named(self, queue: Queue, *, timeout: float) -> NamedReading:
        reading = NamedReading(self, queue, secrets.token_hex(16))
        reading.bind(timeout=timeout)
        with self._opening:
            self._readings[reading.reader] = reading
            if self._signing is None:
                self._signing = threading.Event()
                threading.Thread(
                    target=self._sign, args=(self._signing,), name="events-store-signs", daemon=True
                ).start()
        return reading

    def leave(self, reading: NamedReading) -> None:
        """Give no more signs of life of who has left."""
        with self._opening:
            self._readings.pop(reading.reader, None)

    def ended(self, subscription: StoreSubscription) -> None:
        """Know no more of a subscription."""
        with self._opening:
            self._subscriptions.discard(subscription)

    def close(self) -> None:
        """See Transport; ends the subscriptions, which have no way to the store then."""
        with self._opening:
            subscriptions = list(self._subscriptions)
        for one in subscriptions:
            one.cancel(timeout=_FAREWELL)
            # One whose handler goes on must not open the store again.
            one.forget()
        with self._opening:
            self._subscriptions.clear()
            self._readings.clear()
            if self._signing is not None:
                self._signing.set()
                self._signing = None
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def _sign(self, ended: threading.Event) -> None:
        """Give signs of life until it is ended, while handlers run too."""
        while not ended.wait(_SIGN):
            with self._opening:
                readings = list(self._readings.values())
            for reading in readings:
                if ended.is_set():
                    return
                try:
                    self.write(reading.sign, doing="giving a sign of life")
                except BrokerUnavailable as error:
                    log.info("%s", error)
                except Exception:
                    # The queue may just have gone, which its reading finds out.
                    log.debug("no sign of life for %s", reading.queue.name, exc_info=True)

    # The ways to the store.

    def write(self, unit: Any, *, doing: str, timeout: float | None = None) -> Any:
        """What a unit of work returns, once it is committed; raises BrokerUnavailable."""
        try:
            return self._store().writer.run(unit, timeout=timeout)
        except (StoreUnavailable, ConfigError) as error:
            raise self._told(error, doing) from error

    def ask(self, question: Any, *, doing: str) -> Any:
        """What a question brings; raises BrokerUnavailable."""
        try:
            return self._store().query(question)
        except (StoreUnavailable, ConfigError) as error:
            raise self._told(error, doing) from error

    def now(self) -> int:
        """The store's time, in microseconds."""
        return self._store().clock.now()

    def _told(self, error: Exception, doing: str) -> BrokerUnavailable:
        return BrokerUnavailable(f"{doing}: {shown(self._broker)}: {error}")

    def _store(self) -> Store:
        if self._given is not None:
            return self._given
        with self._opening:
            if self._opened is None:
                self._opened = open_store(
                    url=self._broker,
                    data_dir=Path(),
                    pool_size=_POOL,
                    busy_timeout=5.0,
                    write_timeout=10.0,
                )
            return self._opened
