"""Delivery: follows the outbox, and sees to it that each subscriber is told, in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from aggregator.config.notifications import NotificationSettings
from aggregator.contract import Http
from aggregator.errors import AggregatorException, CollectError, StoreUnavailable
from aggregator.notify import metrics
from aggregator.notify.consumer import send
from aggregator.notify.feed import Feed, Item
from aggregator.notify.filters import Filters
from aggregator.notify.lane import Lane
from aggregator.notify.page import Page
from aggregator.notify.subscription import Subscriber, Switches
from aggregator.store.accumulators import Accumulator, read_accumulator
from aggregator.store.outbox import Told, notices_after, prune_notices
from aggregator.store.subscriptions import (
    GroupState,
    Subscription,
    end_subscription,
    end_subscriptions,
    group_states,
    note_progress,
    subscriptions_of,
)
from aggregator.store.write import Write
from aggregator.view.fragments import GroupFacts
from aggregator.view.properties import registration_count
from aggregator.wire.times import SECOND

logger = logging.getLogger(__name__)
T = TypeVar("T")

#: Seconds between two looks at the groups, between two notes of the progress, and between two
#: times of tidying up; and until the store is asked again.
_LOOK, _NOTE, _TIDY, _PAUSE = 0.05, 0.25, 2.0, 1.0
#: Changes of one page, pages that are kept for others, subscriptions that end in one transaction.
_PAGE, _PAGES, _MOST = 200, 8, 500


@dataclass(frozen=True, slots=True)
class NotifiedGroup:
    """A group whose subscribers are told: what its entries read like, what is told of them."""

    facts: GroupFacts
    switches: Switches


@dataclass(slots=True)
class _Following:
    """What is known of a group's subscriptions."""

    name: str
    sequence: int = -1
    subscribed: int = -1
    feeds: dict[int, tuple[Feed, asyncio.Task[None]]] = field(default_factory=dict)
    pages: dict[int, asyncio.Future[Page]] = field(default_factory=dict)


class Delivery:
    """Serves the subscriptions of the shards that the lease holds.

    `ask` and `write` are the ways to the store; `groups` are those that are offered, by name;
    `manager` is the address of the subscription manager.
    """

    def __init__(
        self,
        settings: NotificationSettings,
        *,
        groups: Mapping[str, NotifiedGroup],
        manager: str,
        http: Http,
        ask: Callable[[Callable[[Any], T]], Awaitable[T]],
        write: Callable[[Callable[[Write], Any]], Awaitable[Any]],
        epochs: Callable[[], Mapping[int, int]],
        shards: int,
        clock: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._groups = groups
        self._manager = manager
        self._http = http
        self._ask: Any = ask
        self._write = write
        self._epochs = epochs
        self._shards = shards
        self._clock = clock
        self._filters = Filters()
        self._following: dict[int, _Following] = {}
        self._held: frozenset[int] = frozenset()
        self._soon = asyncio.Event()

    def look_soon(self) -> None:
        """Something was committed here that may be to tell."""
        self._soon.set()

    async def deliver(self) -> None:
        """Deliver for ever."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._for_ever(self._look, self._until_soon))
                tasks.create_task(self._for_ever(self._note, partial(asyncio.sleep, _NOTE)))
                tasks.create_task(self._for_ever(self._tidy, partial(asyncio.sleep, _TIDY)))
        finally:
            self.close()

    async def flush(self) -> None:
        """Note how far all have come; StoreUnavailable leaves it undone."""
        await self._note()

    def close(self) -> None:
        """Send nothing more. Safe twice."""
        for following in self._following.values():
            self._stop(following, list(following.feeds))
        self._filters.close()

    async def _for_ever(
        self, job: Callable[[], Awaitable[None]], rest: Callable[[], Awaitable[None]]
    ) -> None:
        while True:
            try:
                if self._epochs() or self._held:
                    await job()
            except StoreUnavailable as error:
                logger.warning("notifications wait for the store: %s", error)
                await asyncio.sleep(_PAUSE)
            except Exception:
                logger.exception("bug in the delivery of notifications")
                await asyncio.sleep(_PAUSE)
            await rest()

    async def _until_soon(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK):
                await self._soon.wait()
        self._soon.clear()

    # What there is to follow.

    async def _look(self) -> None:
        held = frozenset(self._epochs())
        moved, self._held = held != self._held, held
        for state in await self._ask(group_states):
            if state.name not in self._groups:
                continue
            following = self._following.setdefault(state.id, _Following(state.name))
            if state.subscribed != following.subscribed or moved:
                await self._read_subscriptions(state, following, held)
            if state.sequence != following.sequence:
                following.sequence = state.sequence
                for feed, _ in following.feeds.values():
                    feed.wake()
        metrics.SUBSCRIPTIONS.set(sum(len(one.feeds) for one in self._following.values()))

    async def _read_subscriptions(
        self, state: GroupState, following: _Following, held: Collection[int]
    ) -> None:
        stored = await self._ask(partial(subscriptions_of, group_id=state.id))
        now = self._clock()
        wanted = {
            one.id: one
            for one in stored
            if one.slot % self._shards in held
            and not one.paused
            and (one.termination is None or one.termination > now)
        }
        self._stop(following, [key for key in following.feeds if key not in wanted])
        for key, one in wanted.items():
            if key not in following.feeds:
                self._start(state.id, following, one)
        following.subscribed = state.subscribed

    def _start(self, group_id: int, following: _Following, stored: Subscription) -> None:
        group = self._groups[following.name]
        try:
            subscriber = Subscriber(stored, facts=group.facts, manager=self._manager)
        except (AggregatorException, KeyError, ValueError):
            # What an earlier version stored, this one may not read.
            logger.exception("a subscription can't be read", extra={"subscription": stored.key})
            return
        feed = Feed(
            subscriber,
            switches=group.switches,
            read=partial(self._page, group_id, following),
            filters=self._filters,
            clock=self._clock,
            suspend_after=self._settings.suspend_after,
        )
        lane = Lane(
            take=feed.take, send=partial(self._send, feed), done=feed.sent, failed=feed.failed
        )
        task = asyncio.create_task(lane.run())
        task.add_done_callback(_look_at)
        following.feeds[stored.id] = feed, task

    def _stop(self, following: _Following, keys: Sequence[int]) -> None:
        for key in keys:
            _, task = following.feeds.pop(key)
            task.cancel()

    async def _send(self, feed: Feed, items: Sequence[Item]) -> None:
        notices = [item.notice for item in items]
        try:
            await send(self._http, feed.subscriber.consumer, notices)
        except CollectError as error:
            metrics.SENT.labels(error.code).inc(len(notices))
            raise
        metrics.SENT.labels("success").inc(len(notices))

    async def _page(self, group_id: int, following: _Following, after: int) -> Page:
        """The changes after a sequence; who asks for the same at the same time gets the same."""
        found = following.pages.get(after)
        if found is None:
            found = asyncio.ensure_future(self._read_page(group_id, following.name, after))
            following.pages[after] = found
            while len(following.pages) > _PAGES:
                following.pages.pop(next(iter(following.pages)))
        try:
            page = await asyncio.shield(found)
        except StoreUnavailable:
            following.pages.pop(after, None)
            raise
        if len(page.changes) < _PAGE:
            # More may come after it.
            following.pages.pop(after, None)
        return page

    async def _read_page(self, group_id: int, name: str, after: int) -> Page:
        def read(connection: Any) -> tuple[list[Told], Accumulator]:
            changes = notices_after(connection, group_id, after, group=name, most=_PAGE)
            return changes, read_accumulator(connection, group_id, self._clock())

        changes, count = await self._ask(read)
        return Page(changes, partial(_count, count))

    # What is noted, and tidied up.

    async def _note(self) -> None:
        """Note how far each has come, and end what has come to its end."""
        for following in self._following.values():
            feeds = [feed for feed, _ in following.feeds.values() if feed.moved]
            for feed in feeds:
                feed.moved = False
            if feeds:
                try:
                    progress = [feed.progress for feed in feeds]
                    await self._write(partial(note_progress, all_of_them=progress))
                except StoreUnavailable:
                    for feed in feeds:
                        feed.moved = True
                    raise
            for feed in [feed for feed, _ in following.feeds.values() if feed.ended]:
                await self._write(partial(end_subscription, found=feed.subscriber.stored))

    async def _tidy(self) -> None:
        """End subscriptions whose time is over, and drop what need not be kept any more."""
        if 0 not in self._held:
            return
        while await self._write(partial(end_subscriptions, most=_MOST)) == _MOST:
            pass
        before = self._clock() - round(self._settings.queue_age * SECOND)
        for group_id, following in self._following.items():
            floor, late = await self._write(
                partial(
                    prune_notices,
                    group_id=group_id,
                    before=before,
                    longest=self._settings.queue_length,
                    ends=self._settings.overflow == "end",
                )
            )
            if late:
                self._pass_over(following, floor)

    def _pass_over(self, following: _Following, floor: int) -> None:
        for feed, _ in following.feeds.values():
            feed.pass_over(floor)


def _count(found: Accumulator) -> bytes:
    return registration_count(
        start=found.start, last_change=found.last_change, total=found.total, rates=found.rates
    )


def _look_at(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        logger.error("bug in notifying a subscriber", exc_info=error)
