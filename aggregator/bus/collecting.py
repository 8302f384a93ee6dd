"""The event bus as sources are offered it: durable queues, fetched from now and then."""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from aggregator.bus.settings import event_settings
from aggregator.config import Settings
from aggregator.errors import (
    BrokerRefused,
    BrokerUnavailable,
    BrokerUnreachable,
    CollectError,
    EventUnreadable,
)
from aggregator.events import metrics
from aggregator.events.collected import document, dumped
from aggregator.events.settings import get_events_exchange_point, queue_of_system
from aggregator.events.topics import binding
from aggregator.events.transport import Delivery, Exchange
from aggregator.events.transport.queues import KeptQueue, Queues
from aggregator.store.engine import Store
from aggregator.threads import in_daemon

logger = logging.getLogger(__name__)
T = TypeVar("T")

#: Bytes of the messages of one turn; the one that makes them more is the last.
_ROOM = 4 * 2**20
#: Seconds for which a broker that did not answer is not asked again.
_PAUSE = 2.0
#: Seconds between which a queue is deleted that nobody may know of; a broker may be late to make
#: it. And how many of them are remembered.
_UNDO, _UNDONE = (0.0, 5.0, 60.0), 1000


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
        # Until when, by the monotonic clock, and why: for each queue, "" for the broker itself.
        self._paused: dict[str, tuple[float, str]] = {}
        self._undoing: set[asyncio.Task[None]] = set()

    async def bind(self, *, event_id: str, origin: str) -> str:
        """A new queue that takes what is published from now on; its name."""
        name = queue_of_system(f"collect.{secrets.token_hex(12)}", self._system.sys_name)
        queue = self._queue(name, event_id, origin)
        self._check_pause(name)
        try:
            await self._asked(lambda queues: queues.bind(queue), name)
        except BaseException:
            # Whether it is there, or will be: nobody else knows its name.
            self._undo(name)
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
        found = await self._asked(
            lambda queues: queues.fetch(queue, most=most, room=_ROOM), name, spoils=True
        )
        try:
            if messages := self._taken(found.deliveries):
                await put(messages)
        except BaseException:
            with suppress(CollectError):
                await self._settled(name, lambda queues: queues.give_back(queue, found.receipt))
            raise
        await self._settled(name, lambda queues: queues.acknowledge(queue, found.receipt))
        return found.more

    async def delete(self, name: str) -> None:
        """Delete a queue. Safe twice."""
        await self._asked(lambda queues: queues.delete(name), name)

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

    async def _settled(self, name: str, do: Callable[[Queues], None]) -> None:
        """Tell the broker what became of what was fetched."""
        try:
            await self._asked(do, name)
        except BaseException:
            # The connection must not go on with what nobody will tell it.
            self._is_spoilt = True
            raise

    async def _asked(self, do: Callable[[Queues], T], name: str, *, spoils: bool = False) -> T:
        """What the broker brings, of a queue; CollectError, at once where it has just failed.

        `spoils`: what it brings must come again where nobody is there any more to take it.
        """
        async with self._one:
            self._check_pause(name)
            left = threading.Event()
            try:
                found = await in_daemon(partial(self._do, do, left))
            except asyncio.CancelledError:
                left.set()
                self._is_spoilt |= spoils
                raise
            except (BrokerUnavailable, BrokerRefused) as error:
                self._pause("" if isinstance(error, BrokerUnreachable) else name, str(error))
                raise _unanswered(str(error)) from error
            self._paused.pop(name, None)
            return found

    def _check_pause(self, name: str) -> None:
        for one in ("", name):
            until, trouble = self._paused.get(one, (0.0, ""))
            if time.monotonic() < until:
                raise _unanswered(trouble)

    def _pause(self, name: str, trouble: str) -> None:
        now = time.monotonic()
        self._paused = {one: said for one, said in self._paused.items() if now < said[0]}
        self._paused[name] = now + _PAUSE, trouble

    def _do(self, do: Callable[[Queues], T], left: threading.Event) -> T:
        # A call that was left alone may still be under way.
        if not self._turn.acquire(timeout=self._system.timeout):
            raise BrokerUnreachable("a call before this one still waits for the broker")
        try:
            if left.is_set():
                raise BrokerUnavailable("nobody waits for it any more")
            if self._queues is None:
                self._queues = self._opened()
            if self._is_spoilt:
                self._queues.close()
                self._is_spoilt = False
            return do(self._queues)
        finally:
            self._turn.release()

    def _undo(self, name: str) -> None:
        if len(self._undoing) >= _UNDONE:
            logger.warning("a queue is not deleted, and goes by itself: there are too many")
            return
        task = asyncio.ensure_future(self._deleted(name))
        self._undoing.add(task)
        task.add_done_callback(self._undoing.discard)

    async def _deleted(self, name: str) -> None:
        """Delete a queue, and again: what was to make it may come after that."""
        for seconds in _UNDO:
            await asyncio.sleep(seconds)
            with suppress(CollectError):
                await self.delete(name)

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
