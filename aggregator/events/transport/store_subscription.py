"""A subscription through the store: a thread that looks for what is new, and hands it over."""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import TYPE_CHECKING, Protocol

from aggregator.errors import BrokerUnavailable
from aggregator.events import metrics
from aggregator.events.topics import matches
from aggregator.events.transport.contract import Delivery, Queue, Receiver
from aggregator.events.transport.logged import delivery_of
from aggregator.store.event_log import last_event, load_event, topics_after
from aggregator.store.event_queues import (
    LOOKED_AT,
    QueueGone,
    Taken,
    bind_queue,
    enter_reader,
    has_news,
    leave_queue,
    take_event,
)
from aggregator.store.write import Write
from aggregator.wire.times import SECOND

if TYPE_CHECKING:
    from aggregator.events.transport.store import StoreTransport

log = logging.getLogger(__name__)

#: Seconds between two looks, and until a store that is away is asked again.
_LOOK, _PAUSE = 0.1, 1.0
#: Seconds for which a reader is taken to be there after it gave a sign of life.
LIFE = 10.0


class Reading(Protocol):
    """What is read for one subscription."""

    @property
    def queue(self) -> Queue:
        """Its queue."""

    def next(self) -> Delivery | None:
        """The next message, None where there is none now; the one before it is dealt with.

        Raises BrokerUnavailable.
        """

    def end(self, *, handled: bool) -> None:
        """No other message is wanted; `handled`: the last one is dealt with.

        Raises BrokerUnavailable.
        """


class OwnReading:
    """A queue without a name: a place in the log that this process alone knows."""

    def __init__(self, transport: StoreTransport, queue: Queue, last: int) -> None:
        self.queue = queue
        self._transport = transport
        self._last = last

    def next(self) -> Delivery | None:
        """See Reading; there is nothing to acknowledge."""
        ask = partial(self._transport.ask, doing=f"reading {self.queue.binding:.80}")
        if ask(last_event) == self._last:
            return None
        while looked_at := ask(partial(topics_after, sequence=self._last, most=LOOKED_AT)):
            for one in looked_at:
                # Sequences have no gaps, so that what lacks has left the log unread.
                _note_lost(one.sequence - self._last - 1, self.queue)
                self._last = one.sequence
                if one.exchange == self.queue.exchange.name and matches(
                    self.queue.binding, one.topic
                ):
                    event = ask(partial(load_event, sequence=one.sequence))
                    if event is not None:
                        return delivery_of(event)
                    _note_lost(1, self.queue)
        return None

    def end(self, *, handled: bool) -> None:
        """See Reading."""


class NamedReading:
    """A reader of a queue that is kept in the store, and may have other readers."""

    def __init__(self, transport: StoreTransport, queue: Queue, reader: str) -> None:
        self.queue = queue
        self.reader = reader
        self._transport = transport
        self._done: int | None = None
        # Whether a claim of ours may be there that we were not told of.
        self._in_doubt = False

    def bind(self, *, timeout: float | None = None) -> None:
        """Have the queue there, and take part in it; raises BrokerUnavailable."""
        doing = f"binding {self.queue.name} to {self.queue.binding:.80}"
        self._transport.write(self._bound, doing=doing, timeout=timeout)

    def _bound(self, write: Write) -> None:
        queue = self.queue
        bind_queue(
            write,
            queue.name,
            exchange=queue.exchange.name,
            pattern=queue.binding,
            auto_delete=queue.auto_delete,
        )
        self.sign(write)

    def sign(self, write: Write) -> None:
        """Give a sign of life; raises QueueGone."""
        until = write.now + round(LIFE * SECOND)
        enter_reader(write, self.queue.name, self.reader, until=until)

    def next(self) -> Delivery | None:
        """See Reading; what was read before is acknowledged with it."""
        doing = f"reading {self.queue.name}"
        try:
            if (
                self._done is None
                and not self._in_doubt
                and not self._transport.ask(
                    partial(has_news, name=self.queue.name, now=self._transport.now()), doing=doing
                )
            ):
                return None
            more = True
            while more:
                event, more, _ = self._take(doing)
                if event is not None:
                    self._done = event.sequence
                    return delivery_of(event)
        except QueueGone:
            log.warning("The queue %s is gone and made anew", self.queue.name)
            metrics.RECONNECTED.inc()
            self._done, self._in_doubt = None, False
            self.bind()
        return None

    def _take(self, doing: str) -> Taken:
        unit = partial(
            take_event,
            name=self.queue.name,
            reader=self.reader,
            matches=matches,
            done=self._done,
        )
        self._in_doubt = True
        taken: Taken = self._transport.write(unit, doing=doing)
        self._in_doubt = False
        self._done = None
        _note_lost(taken.lost, self.queue)
        return taken

    def end(self, *, handled: bool) -> None:
        """See Reading."""
        self._transport.leave(self)
        unit = partial(
            leave_queue,
            name=self.queue.name,
            reader=self.reader,
            done=self._done if handled else None,
        )
        self._transport.write(unit, doing=f"leaving {self.queue.name}")


class StoreSubscription:
    """A thread that receives."""

    def __init__(self, transport: StoreTransport, reading: Reading, receive: Receiver) -> None:
        self._transport = transport
        self._reading = reading
        self._receive = receive
        self._cancelled = threading.Event()
        self._forgotten = False
        self._thread = threading.Thread(target=self._work, name="events-store", daemon=True)
        self._thread.start()

    def cancel(self, *, timeout: float) -> None:
        """See Subscription."""
        self._cancelled.set()
        with self._transport.published:
            self._transport.published.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)
            if self._thread.is_alive():
                log.warning(
                    "A handler of %s has not returned in %g s and is left alone",
                    self._reading.queue.binding,
                    timeout,
                )

    def forget(self) -> None:
        """Leave the store alone from now on: what is still claimed is another's after a while."""
        self._forgotten = True

    def _work(self) -> None:
        handled = True
        while not self._cancelled.is_set():
            try:
                delivery = self._reading.next()
            except BrokerUnavailable as error:
                log.warning("%s; trying again", error)
                self._cancelled.wait(_PAUSE)
                continue
            except Exception:
                log.exception("Reading %s failed, trying again", self._reading.queue.binding)
                self._cancelled.wait(_PAUSE)
                continue
            if delivery is None:
                with self._transport.published:
                    self._transport.published.wait(_LOOK)
            else:
                handled = not self._cancelled.is_set()
                if handled:
                    self._receive(delivery)
        if not self._forgotten:
            self._end(handled=handled)
        self._transport.ended(self)

    def _end(self, *, handled: bool) -> None:
        try:
            self._reading.end(handled=handled)
        except Exception as error:
            log.warning("A subscription was not ended and runs out: %s", error)


def _note_lost(number: int, queue: Queue) -> None:
    if number > 0:
        metrics.DROPPED.labels("store").inc(number)
        log.warning("%d events had left the log before %s saw them", number, queue.binding)
