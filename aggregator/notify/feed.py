"""What waits for one subscriber: read from the outbox when needed, forgotten once it is sent."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aggregator.errors import CollectError, QueryFailed, StoreUnavailable
from aggregator.notify.conditions import Conditions
from aggregator.notify.consumer import Notice
from aggregator.notify.filters import Filters
from aggregator.notify.page import Page
from aggregator.notify.subscription import Subscriber, Switches, termination_notice
from aggregator.store.outbox import Told
from aggregator.store.progress import Progress
from aggregator.wire.times import SECOND

logger = logging.getLogger(__name__)

#: Notifications that are sent together, and at most so many bytes of messages.
_TOGETHER, _BYTES = 32, 512 * 1024
#: Evaluations beyond the limits that a subscription's filter may cost.
_OVERRUNS = 3
#: Seconds until a store that is away is asked again.
_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Item:
    """A notice with the sequence of its change; `ends` where nothing comes after it."""

    sequence: int
    notice: Notice
    ends: bool = False


class Feed:
    """One subscription being served.

    `read` gives the group's next page of changes after a sequence, which may be empty.
    """

    def __init__(
        self,
        subscriber: Subscriber,
        *,
        switches: Switches,
        read: Callable[[int], Awaitable[Page]],
        filters: Filters,
        conditions: Conditions,
        clock: Callable[[], int],
        suspend_after: float,
    ) -> None:
        self.subscriber = subscriber
        stored = subscriber.stored
        self.progress = Progress(
            stored.id,
            stored.sent,
            bool(stored.suspended),
            stored.failures,
            stored.error,
            stored.error_since,
        )
        #: Whether the progress is to be noted, and whether the subscription has come to its end.
        self.moved = False
        self.ended = False
        self._switches = switches
        self._read = read
        self._filters = filters
        self._conditions = conditions
        self._clock = clock
        self._suspend_after = round(suspend_after * SECOND)
        self._queue: deque[Item] = deque()
        self._read_to = stored.sent
        #: Until when it lasts; and up to which sequence it may read.
        self.termination = stored.termination
        self.limit = stored.sent
        self._overruns = 0
        # Since when the first in the queue is refused by itself, and how many are sent singly.
        self._refused_since: int | None = None
        self._singles = 0
        self._together = 0
        self._some = asyncio.Event()
        self._some.set()

    def wake(self, limit: int) -> None:
        """There is more to read, up to a sequence."""
        self.limit = limit
        self._some.set()

    @property
    def is_over(self) -> bool:
        """Whether its time has come; that of one that is fetched from the store alone knows."""
        if self.subscriber.stored.pull_point or self.termination is None:
            return False
        return self.termination <= self._clock()

    async def take(self) -> Sequence[Item]:
        """What is to be sent next; it stays in the queue until it is `sent`."""
        while not self._queue:
            await self._some.wait()
            self._some.clear()
            if self.ended or self._read_to >= self.limit:
                continue
            try:
                page = await self._read(self._read_to)
                if page.changes:
                    await self._take_in(page)
                    self._some.set()
            except StoreUnavailable as error:
                logger.info("a subscriber waits for the store: %s", error, extra=self.words())
                await asyncio.sleep(_PAUSE)
                self._some.set()
                continue
        while self.is_over:
            # It may just have been renewed; one that was not is served no more soon.
            await asyncio.sleep(_PAUSE)
        most = 1 if self.subscriber.consumer.raw or self._singles else _TOGETHER
        batch: list[Item] = []
        size = 0
        # What is put into a pull point is known by its sequence: all of one change, or none.
        together = self.subscriber.stored.pull_point != 0
        for place, item in enumerate(self._queue):
            size += len(item.notice.message)
            is_full = place >= most or (bool(batch) and size > _BYTES)
            if is_full and not (together and item.sequence == batch[-1].sequence):
                break
            batch.append(item)
        self._together = len(batch)
        return batch

    async def _take_in(self, page: Page) -> None:
        is_told = not self.subscriber.properties or await self._conditions.hold(
            self.subscriber, sequence=page.changes[-1].sequence
        )
        for told in page.changes:
            if told.sequence <= self._read_to:
                continue
            if told.sequence > self.limit:
                # What it may not be told is known only up to here, before which nothing is left.
                self._read_to = max(self._read_to, self.limit)
                break
            if is_told and not self.subscriber.is_paused_at(told.sequence):
                made = self.subscriber.notices(told, self._switches, page=page)
                # All of a change or none: it is read again where one can't be judged now.
                wanted = [notice for notice in made if await self._is_wanted(notice)]
                self._queue.extend(Item(told.sequence, notice) for notice in wanted)
            self._read_to = told.sequence
            if reason := self._end_at(told):
                notice = termination_notice(self.subscriber, told.at, reason)
                self._queue.append(Item(told.sequence, notice, ends=True))
                return
        self._settle()

    def _end_at(self, told: Told) -> str:
        """Why the subscription ends with a change; empty where it goes on."""
        if self._overruns >= _OVERRUNS:
            return "the filter takes longer or more memory than it may"
        return "the entry has ended" if self.subscriber.is_last(told) else ""

    async def _is_wanted(self, notice: Notice) -> bool:
        try:
            for condition in self.subscriber.contents:
                if not await self._filters.holds(condition, notice.message):
                    return False
        except QueryFailed as error:
            logger.warning("a notification is left out: %s", error, extra=self.words())
            self._overruns += bool(error.limit)
            return False
        return True

    def sent(self, items: Sequence[Item]) -> None:
        """Forget what was taken by the consumer."""
        self._singles = max(0, self._singles - 1)
        self._refused_since = None
        for item in items:
            if self._queue and self._queue[0] is item:
                self._queue.popleft()
        if self.progress.failures:
            logger.info("a consumer takes notifications again", extra=self.words())
            self.progress = _well(self.progress)
            self.moved = True
        self._settle()
        self.ended = self.ended or any(item.ends for item in items)

    def _settle(self) -> None:
        """All before what still waits was sent, or was none of the subscriber's business."""
        done = self._queue[0].sequence - 1 if self._queue else self._read_to
        if done > self.progress.sent:
            self.progress = self.progress._replace(sent=done)
            self.moved = True

    def failed(self, error: CollectError) -> None:
        """Note that something was not taken; whether to go on is not ours to decide."""
        before, now = self.progress, self._clock()
        since = before.error_since or now
        suspended = now - since >= self._suspend_after
        if not before.failures or suspended != before.suspended:
            logger.warning(
                "a consumer was not notified%s: %s",
                ", its subscription is suspended" if suspended else "",
                error,
                extra=self.words(),
            )
        self.progress = before._replace(
            suspended=suspended,
            failures=before.failures + 1,
            error=str(error)[:500],
            error_since=since,
        )
        self.moved = True
        if self._queue and self._queue[0].ends and self.progress.failures > 3:
            # Nobody hears the last words.
            self.ended = True
        elif error.code == "refused":
            self._refused(now)

    def _refused(self, now: int) -> None:
        """The consumer finds fault with a message: see with which, and do without that one once
        it has had as long as a consumer that does not answer, lest it hold up all others."""
        if self._together > 1:
            self._singles = _TOGETHER
            return
        self._refused_since = self._refused_since or now
        if not self._queue or now - self._refused_since < self._suspend_after:
            return
        left_out = self._queue.popleft()
        logger.warning(
            "a consumer refuses a notification, which is left out",
            extra={**self.words(), "notification": left_out.notice.id},
        )
        self._refused_since = None
        self.progress = self.progress._replace(dropped=self.progress.dropped + 1)
        self._settle()

    def noted(self, progress: Progress) -> None:
        """What was left out is counted in the store now."""
        self.progress = self.progress._replace(dropped=self.progress.dropped - progress.dropped)

    def pass_over(self, floor: int) -> None:
        """Forget what is not in the outbox any more."""
        if self.progress.sent >= floor:
            return
        logger.warning(
            "a subscriber who stayed away is not told of %d changes",
            floor - self.progress.sent,
            extra=self.words(),
        )
        while self._queue and self._queue[0].sequence <= floor:
            self._queue.popleft()
        self._read_to = max(self._read_to, floor)
        self.progress = self.progress._replace(sent=floor)
        self.moved = True

    def words(self) -> dict[str, str]:
        """What a log record about it carries."""
        stored = self.subscriber.stored
        return {"subscription": stored.key, "consumer": self.subscriber.consumer.reference.address}


def _well(progress: Progress) -> Progress:
    """The progress of a consumer that is well again."""
    return progress._replace(suspended=False, failures=0, error="", error_since=None)
