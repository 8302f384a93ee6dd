"""The event bus as sources are offered it: durable queues, fetched from now and then."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from aggregator.bus.settings import event_settings
from aggregator.config import Settings
from aggregator.errors import BrokerRefused, BrokerUnavailable, CollectError, EventUnreadable
from aggregator.events import metrics
from aggregator.events.collected import document, dumped
from aggregator.events.settings import get_events_exchange_point, queue_of_system
from aggregator.events.topics import binding
from aggregator.events.transport import Delivery, Exchange
from aggregator.events.transport.queues import Fetched, KeptQueue, Queues
from aggregator.store.engine import Store
from aggregator.threads import in_daemon

logger = logging.getLogger(__name__)
T = TypeVar("T")

#: Bytes of the messages of one turn; the one that makes them more is the last.
_ROOM = 4 * 2**20
#: Seconds for which a broker that did not answer is not asked again.
_PAUSE = 2.0


class BusEvents:
    """`aggregator.contract.Events`, for all entries of a process; used in one loop.

    The broker is asked by one thread at a time.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings.events
        self._system = event_settings(settings)
        self._store = store
        self._queues: Queues | None = None
        self._one = asyncio.Lock()
        self._turn = threading.Lock()
        # Somebody was fetched for who is not there any more: what was fetched must come again.
        self._is_spoilt = False
        self._pause_until = 0.0
        self._trouble = ""

    async def bind(self, *, event_id: str, origin: str) -> str:
        """A new queue that takes what is published from now on; its name."""
        name = queue_of_system(f"collect.{secrets.token_hex(12)}", self._system.sys_name)
        queue = self._queue(name, event_id, origin)
        try:
            await self._asked(lambda queues: queues.bind(queue))
        except asyncio.CancelledError:
            # Whether it is there or not: nobody else knows its name.
            _forget(in_daemon(lambda: self._do(lambda queues: queues.delete(name))))
            raise
        return name

    async def fetch(
        self,
        name: str,
        *,
        event_id: str,
        origin: str,
        put: Callable[[Sequence[bytes]], Awaitable[int]],
    ) -> bool:
        """Hand what waits in a queue to `put`, and have it leave the queue then."""
        if await put(()) >= self._settings.max_waiting:
            return False
        queue = self._queue(name, event_id, origin)
        most = self._settings.max_fetch
        try:
            found = await self._asked(lambda queues: queues.fetch(queue, most=most, room=_ROOM))
        except asyncio.CancelledError:
            self._is_spoilt = True
            raise
        try:
            if messages := self._taken(found.deliveries):
                await put(messages)
        except BaseException:
            await self._given_back(queue, found)
            raise
        await self._asked(lambda queues: queues.acknowledge(queue, found.receipt))
        return found.more

    async def delete(self, name: str) -> None:
        """Delete a queue. Safe twice."""
        await self._asked(lambda queues: queues.delete(name))

    def read(self, message: bytes) -> bytes:
        """The element that a message becomes; CollectError where it can't be one."""
        try:
            return document(message, limit=self._settings.max_message)
        except EventUnreadable as error:
            raise CollectError(f"the event: {error}", code="wrong-content") from error

    def close(self) -> None:
        """Take leave of the broker, unless somebody still waits for it."""
        if self._queues is not None and self._turn.acquire(timeout=0):
            try:
                self._queues.close()
            finally:
                self._turn.release()

    def _taken(self, deliveries: Sequence[Delivery]) -> list[bytes]:
        """The messages as they are stored, without those that are too large."""
        limit = self._settings.max_message
        taken = [dumped(one) for one in deliveries if len(one.body) <= limit]
        if too_large := len(deliveries) - len(taken):
            metrics.DROPPED.labels("collecting").inc(too_large)
            logger.warning("%d events are larger than events.max_message", too_large)
        return taken

    async def _given_back(self, queue: KeptQueue, found: Fetched) -> None:
        try:
            await self._asked(lambda queues: queues.give_back(queue, found.receipt))
        except BaseException:
            self._is_spoilt = True

    def _queue(self, name: str, event_id: str, origin: str) -> KeptQueue:
        exchange = get_events_exchange_point(self._system.sys_name)
        try:
            pattern = binding(event_id or None, origin or None)
        except ValueError as error:
            raise CollectError(str(error), code="refused") from error
        return KeptQueue(
            name=name,
            exchange=Exchange(exchange, self._system.durable),
            binding=pattern,
            age=self._settings.log_age,
            length=self._settings.log_length,
        )

    async def _asked(self, do: Callable[[Queues], T]) -> T:
        """What the broker brings; CollectError, at once where it has just failed somebody else."""
        async with self._one:
            if time.monotonic() < self._pause_until:
                raise _unanswered(self._trouble)
            try:
                return await in_daemon(partial(self._do, do))
            except (BrokerUnavailable, BrokerRefused) as error:
                self._pause_until = time.monotonic() + _PAUSE
                self._trouble = str(error)
                raise _unanswered(str(error)) from error

    def _do(self, do: Callable[[Queues], T]) -> T:
        # A call that was left alone may still be under way.
        if not self._turn.acquire(timeout=self._system.timeout):
            raise BrokerUnavailable("a call before this one still waits for the broker")
        try:
            if self._queues is None:
                self._queues = self._opened()
            if self._is_spoilt:
                self._queues.close()
                self._is_spoilt = False
            return do(self._queues)
        finally:
            self._turn.release()

    def _opened(self) -> Queues:
        if not self._system.broker:
            from aggregator.events.transport.store_queues import StoreQueues  # noqa: PLC0415

            return StoreQueues(self._store)
        # What has no broker never loads the library.
        from aggregator.events.transport.amqp_queues import AmqpQueues  # noqa: PLC0415

        return AmqpQueues(self._system.broker, timeout=self._system.timeout)


def _unanswered(detail: str) -> CollectError:
    # Where the broker is, and what it says, is for the log alone.
    return CollectError("the event broker does not answer", code="no-broker", detail=detail)


def _forget(work: Awaitable[object]) -> None:
    """Let it go on; how it ends is nobody's concern."""
    task = asyncio.ensure_future(work)
    _left.add(task)
    task.add_done_callback(_gone)


def _gone(task: asyncio.Future[object]) -> None:
    _left.discard(task)
    if not task.cancelled() and (error := task.exception()):
        logger.info("a queue was not deleted, and goes by itself: %s", error)


_left: set[asyncio.Future[object]] = set()
