"""Delivery: follows the outbox, and sees to it that each subscriber is told, in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from aggregator.config.notifications import NotificationSettings
from aggregator.contract import Http
from aggregator.errors import StoreUnavailable
from aggregator.notify import metrics
from aggregator.notify.conditions import Conditions
from aggregator.notify.filters import Filters
from aggregator.notify.group_feeds import GroupFeeds, NotifiedGroup
from aggregator.store.groups import GroupState, group_states
from aggregator.store.outbox import prune_notices
from aggregator.store.progress import note_progress
from aggregator.store.pull_points import end_forsaken, last_until
from aggregator.store.pulled import prune_pulled
from aggregator.store.subscriptions import end_subscription, end_subscriptions, subscriptions_of
from aggregator.store.write import Write
from aggregator.wire.times import SECOND

logger = logging.getLogger(__name__)
T = TypeVar("T")

#: Seconds between two looks at the groups where somebody subscribed, and where nobody has; between
#: two notes of the progress, two times of tidying up; and until the store is asked again.
_LOOK, _QUIET, _NOTE, _TIDY, _PAUSE = 0.05, 0.3, 0.25, 2.0, 1.0
#: Seconds for which one that is fetched from outlives what it was for.
_LAST_WORDS = 60.0
#: Subscriptions that end in one transaction.
_MOST = 500


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
        conditions: Conditions,
        ask: Callable[[Callable[[Any], T]], Awaitable[T]],
        write: Callable[[Callable[[Write], Any]], Awaitable[Any]],
        epochs: Callable[[], Mapping[int, int]],
        shards: int,
        clock: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._offered = groups
        self._manager = manager
        self._http = http
        self._conditions = conditions
        self._ask: Any = ask
        self._write = write
        self._epochs = epochs
        self._shards = shards
        self._clock = clock
        self._filters = Filters()
        self._groups: dict[int, GroupFeeds] = {}
        self._held: frozenset[int] = frozenset()
        self._soon = asyncio.Event()
        self._is_subscribed = False

    def look_soon(self) -> None:
        """Something was committed here that may be to tell."""
        if self._is_subscribed:
            self._soon.set()

    async def deliver(self) -> None:
        """Deliver for ever; what is under way goes on until `close`."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._for_ever(self._look, self._until_soon))
            tasks.create_task(self._for_ever(self._note, partial(asyncio.sleep, _NOTE)))
            tasks.create_task(self._for_ever(self._tidy, partial(asyncio.sleep, _TIDY)))

    async def finish(self) -> None:
        """Send nothing more, and note how far all have come, or raise StoreUnavailable."""
        for group in self._groups.values():
            group.stop_sending()
        try:
            await self._note()
        finally:
            self.close()

    def close(self) -> None:
        """Let go of all. Safe twice."""
        for group in self._groups.values():
            group.serve([])
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
            async with asyncio.timeout(_LOOK if self._is_subscribed else _QUIET):
                await self._soon.wait()
        self._soon.clear()

    # What there is to follow.

    async def _look(self) -> None:
        held = frozenset(self._epochs())
        moved = held != self._held
        if not held:
            # Another serves them from now on, whether the store can be asked or not.
            for group in self._groups.values():
                group.serve([])
            self._held = held
            metrics.SUBSCRIPTIONS.set(0)
            return
        states = await self._ask(group_states)
        self._is_subscribed = any(state.subscribers for state in states)
        for state in states:
            feeds = self._feeds_of(state)
            if feeds is None:
                continue
            if moved or state.subscribed != feeds.subscribed:
                stored = await self._ask(partial(subscriptions_of, group_id=state.id))
                feeds.serve([one for one in stored if one.slot % self._shards in held])
                feeds.subscribed, feeds.subscribers = state.subscribed, state.subscribers
            feeds.wake(state.sequence)
        self._held = held
        metrics.SUBSCRIPTIONS.set(sum(len(feeds.all()) for feeds in self._groups.values()))

    def _feeds_of(self, state: GroupState) -> GroupFeeds | None:
        """The feeds of a group; None for one that is not offered any more."""
        if state.id not in self._groups:
            if state.name not in self._offered:
                return None
            self._groups[state.id] = GroupFeeds(
                state.id,
                self._offered[state.name],
                settings=self._settings,
                manager=self._manager,
                http=self._http,
                ask=self._ask,
                write=self._write,
                filters=self._filters,
                conditions=self._conditions,
                clock=self._clock,
            )
        return self._groups[state.id]

    # What is noted, and tidied up.

    async def _note(self) -> None:
        """Note how far each has come, and end what has come to its end."""
        for group in list(self._groups.values()):
            feeds = [feed for feed in group.all() if feed.moved]
            for feed in feeds:
                feed.moved = False
            if feeds:
                try:
                    progress = [feed.progress for feed in feeds]
                    await self._write(partial(note_progress, all_of_them=progress))
                    for feed, noted in zip(feeds, progress, strict=True):
                        feed.noted(noted)
                except StoreUnavailable:
                    for feed in feeds:
                        feed.moved = True
                    raise
            for feed in [feed for feed in group.all() if feed.ended]:
                stored = feed.subscriber.stored
                if stored.pull_point:
                    # There is time to come for what it was told last.
                    group.silence(stored.id)
                    await self._write(partial(last_until, found=stored, seconds=_LAST_WORDS))
                else:
                    await self._write(partial(end_subscription, found=stored))

    async def _tidy(self) -> None:
        """End subscriptions whose time is over, and drop what need not be kept any more."""
        if 0 not in self._held:
            return
        while await self._write(partial(end_subscriptions, most=_MOST)) == _MOST:
            pass
        while await self._write(partial(end_forsaken, most=_MOST)) == _MOST:
            pass
        before = self._clock() - round(self._settings.queue_age * SECOND)
        if dropped := await self._write(partial(prune_pulled, before=before)):
            logger.warning("%d messages waited in pull points for too long", dropped)
        for group in list(self._groups.values()):
            if not group.subscribers and group.is_tidy:
                continue
            group.is_tidy = not group.subscribers
            floor, late = await self._write(
                partial(
                    prune_notices,
                    group_id=group.id,
                    before=before,
                    longest=self._settings.queue_length,
                    ends=self._settings.overflow == "end",
                )
            )
            group.are_late(late, floor)
