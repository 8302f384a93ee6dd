"""The feeds of one group: who is served, and the pages of changes that they share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from aggregator.config.notifications import NotificationSettings
from aggregator.contract import Http
from aggregator.errors import (
    AggregatorException,
    CollectError,
    InboxFull,
    ResourceUnknown,
    StoreUnavailable,
)
from aggregator.notify import metrics
from aggregator.notify.conditions import Conditions
from aggregator.notify.consumer import send
from aggregator.notify.feed import Feed, Item
from aggregator.notify.filters import Filters
from aggregator.notify.lane import Lane
from aggregator.notify.page import Page
from aggregator.notify.subscription import Subscriber, Switches, termination_notice
from aggregator.store.accumulators import Accumulator, read_accumulator
from aggregator.store.outbox import Told, notices_after
from aggregator.store.pulled import Room, put_notices, put_pulled
from aggregator.store.subscriptions import Subscription
from aggregator.store.write import Write
from aggregator.view.fragments import GroupFacts
from aggregator.view.properties import registration_count

logger = logging.getLogger(__name__)

#: Changes of one page, and pages that are kept for others.
_PAGE, _PAGES = 200, 8
#: Seconds until a store that is away is asked again.
_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class NotifiedGroup:
    """A group whose subscribers are told: what its entries read like, what is told of them."""

    facts: GroupFacts
    switches: Switches


class GroupFeeds:
    """Serves the subscriptions to a group and to its entries, each in a task of its own.

    ``subscribed`` and ``subscribers`` are those of the group when its subscriptions were read;
    ``is_tidy`` says that nothing is left in the outbox of one that nobody subscribed to.
    """

    def __init__(
        self,
        number: int,
        group: NotifiedGroup,
        *,
        settings: NotificationSettings,
        manager: str,
        http: Http,
        ask: Callable[[Callable[[Any], Any]], Awaitable[Any]],
        write: Callable[[Callable[[Write], Any]], Awaitable[Any]],
        filters: Filters,
        conditions: Conditions,
        clock: Callable[[], int],
    ) -> None:
        self.id = number
        self.subscribed = -1
        self.subscribers = 0
        self.is_tidy = False
        self._group = group
        self._settings = settings
        self._room = Room(settings.max_pulled, settings.max_pulled_size)
        self._manager = manager
        self._http = http
        self._ask = ask
        self._write = write
        self._filters = filters
        self._conditions = conditions
        self._clock = clock
        self._sequence = -1
        self._feeds: dict[int, tuple[Feed, asyncio.Task[None]]] = {}
        self._pages: dict[int, asyncio.Future[Page]] = {}
        self._last_words: set[asyncio.Task[None]] = set()

    def all(self) -> list[Feed]:
        """Those that are served."""
        return [feed for feed, _ in self._feeds.values()]

    def serve(self, stored: Collection[Subscription]) -> None:
        """Serve these subscriptions, as far as their time is not over, and no others."""
        now = self._clock()
        wanted = {one.id: one for one in stored if one.termination is None or one.termination > now}
        for key, (feed, _) in list(self._feeds.items()):
            found, before = wanted.get(key), feed.subscriber.stored
            if found is None:
                self._stop(key)
            elif (found.paused, found.skip_to) != (before.paused, before.skip_to):
                # One that was paused or resumed is told of other changes from now on.
                self._stop(key)
                wanted[key] = found._replace(sent=max(found.sent, feed.progress.sent))
            else:
                feed.termination = found.termination
        for key, one in wanted.items():
            if key not in self._feeds:
                self._start(one)
        self._sequence = -1

    def stop_sending(self) -> None:
        """Send nothing more; how far each has come is known still."""
        for _, task in self._feeds.values():
            task.cancel()

    def silence(self, key: int) -> None:
        """Tell a subscription nothing more, which has come to its end and is there for a while."""
        if key in self._feeds:
            feed, task = self._feeds[key]
            feed.ended = False
            task.cancel()

    def wake(self, sequence: int) -> None:
        """The group's changes have come to a sequence."""
        if sequence == self._sequence:
            return
        self._sequence = sequence
        for feed in self.all():
            paused = feed.subscriber.stored.paused
            feed.wake(min(sequence, paused - 1) if paused else sequence)

    def are_late(self, keys: Sequence[int], floor: int) -> None:
        """Subscribers stayed away for so long that they pass over the changes up to `floor`, or
        are told that their subscriptions have ended."""
        for key in keys:
            if key not in self._feeds:
                continue
            feed = self._feeds[key][0]
            if self._settings.overflow != "end":
                feed.pass_over(floor)
                continue
            notice = termination_notice(
                feed.subscriber, self._clock(), "the consumer stayed away for too long"
            )
            # Nobody waits for whether they are heard.
            words = asyncio.create_task(self._last_word(feed, Item(floor, notice)))
            self._last_words.add(words)
            words.add_done_callback(self._last_words.discard)
            words.add_done_callback(_look_at)

    def _start(self, stored: Subscription) -> None:
        try:
            subscriber = Subscriber(stored, facts=self._group.facts, manager=self._manager)
        except (AggregatorException, KeyError, ValueError):
            # What an earlier version stored, this one may not read.
            logger.exception("a subscription can't be read", extra={"subscription": stored.key})
            return
        feed = Feed(
            subscriber,
            switches=self._group.switches,
            read=self._page,
            filters=self._filters,
            conditions=self._conditions,
            clock=self._clock,
            suspend_after=self._settings.suspend_after,
        )
        lane = Lane(
            take=feed.take, send=partial(self._send, feed), done=feed.sent, failed=feed.failed
        )
        task = asyncio.create_task(lane.run())
        task.add_done_callback(_look_at)
        self._feeds[stored.id] = feed, task

    def _stop(self, key: int) -> None:
        _, task = self._feeds.pop(key)
        task.cancel()

    async def _send(self, feed: Feed, items: Sequence[Item]) -> None:
        notices = [item.notice for item in items]
        try:
            if feed.subscriber.stored.pull_point:
                await self._put(feed, items)
            else:
                await send(self._http, feed.subscriber.consumer, notices)
        except CollectError as error:
            metrics.SENT.labels(error.code).inc(len(notices))
            raise
        metrics.SENT.labels("success").inc(len(notices))

    async def _last_word(self, feed: Feed, item: Item) -> None:
        """Tell that a subscription has ended, which is not in the store any more."""
        stored, consumer = feed.subscriber.stored, feed.subscriber.consumer
        if not stored.pull_point:
            return await self._send(feed, [item])
        message = consumer.notification(item.notice)
        put = partial(put_pulled, number=stored.pull_point, messages=[message], room=self._room)
        with suppress(InboxFull, ResourceUnknown, StoreUnavailable):
            await self._write(put)
        return None

    async def _put(self, feed: Feed, items: Sequence[Item]) -> Any:
        """Into the pull point, where the consumer comes for it."""
        stored, consumer = feed.subscriber.stored, feed.subscriber.consumer
        messages = [(item.sequence, consumer.notification(item.notice)) for item in items]
        put = partial(
            put_notices,
            messages=messages,
            subscription=stored.id,
            pull_point=stored.pull_point,
            room=self._room,
        )
        while True:
            try:
                return await self._write(put)
            except InboxFull as error:
                raise CollectError(error.message, code="full") from error
            except ResourceUnknown:
                # Nobody can come for it any more.
                feed.ended = True
                return None
            except StoreUnavailable as error:
                # Which is no failure of the consumer's.
                logger.info("a pull point waits for the store: %s", error, extra=feed.words())
                await asyncio.sleep(_PAUSE)

    async def _page(self, after: int) -> Page:
        """The changes after a sequence; who asks for the same at the same time gets the same."""
        found = self._pages.get(after)
        if found is None:
            found = self._pages[after] = asyncio.ensure_future(self._read_page(after))
            found.add_done_callback(partial(self._keep_page, after))
            while len(self._pages) > _PAGES:
                self._pages.pop(next(iter(self._pages)))
        return await asyncio.shield(found)

    def _keep_page(self, after: int, found: asyncio.Future[Page]) -> None:
        """A page that could not be read is read anew, one that more may come to as well."""
        failed = found.cancelled() or found.exception() is not None
        if (failed or len(found.result().changes) < _PAGE) and self._pages.get(after) is found:
            del self._pages[after]

    async def _read_page(self, after: int) -> Page:
        name = self._group.facts.name

        def read(connection: Any) -> tuple[list[Told], Accumulator]:
            changes = notices_after(connection, self.id, after, group=name, most=_PAGE)
            return changes, read_accumulator(connection, self.id, self._clock())

        changes, count = await self._ask(read)
        return Page(changes, partial(_count, count))


def _count(found: Accumulator) -> bytes:
    return registration_count(**found.shown())


def _look_at(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, CollectError):
        logger.error("bug in notifying a subscriber", exc_info=error)
