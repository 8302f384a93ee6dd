"""The member's subscriptions: who is told of which property, until when, and what is on its way.

They live in memory: a member that is started again has forgotten them, as the toolkit's services
had, and subscribers learn that when they renew.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from aggregator.contract import Http
from aggregator.errors import CollectError, ResourceUnknown, SubscribeFailed
from aggregator.notify.consumer import Consumer, Notice, send
from aggregator.notify.lane import Lane
from aggregator.wire.dialects import Dialect
from aggregator.wire.epr import EndpointReference, write_epr
from aggregator.wire.subscribing import Subscribe

logger = logging.getLogger(__name__)

#: Subscriptions at the same time; notifications that may wait for one consumer, how many bytes they
#: may have where it is more than one, and how many are sent together.
MOST = 10_000
_WAITING, _ROOM, _TOGETHER = 1000, 4 * 2**20, 32
#: Seconds between two looks for subscriptions that have ended.
_SWEEP = 1.0


@dataclass(slots=True, eq=False)
class Subscription:
    """A subscription; `termination` is an instant, None for ever."""

    key: str
    request: Subscribe
    consumer: Consumer
    created: int
    termination: int | None
    paused: bool = False
    waiting: deque[Notice] = field(default_factory=deque)
    #: Bytes of the messages that wait.
    size: int = 0
    some: asyncio.Event = field(default_factory=asyncio.Event)
    #: Numbers of its notices.
    numbers: Iterator[int] = field(default_factory=itertools.count)
    failures: int = 0
    dropped: int = 0
    task: asyncio.Task[None] | None = None

    def put(self, message: bytes, topic: bytes) -> None:
        """Let a message wait for its turn; the oldest goes where too many wait."""
        notice = Notice(f"{self.key}:{next(self.numbers)}", message, topic)
        self.waiting.append(notice)
        self.size += len(message)
        while len(self.waiting) > 1 and (len(self.waiting) > _WAITING or self.size > _ROOM):
            self._forget_first()
            self.dropped += 1
        self.some.set()

    async def take(self) -> Sequence[Notice]:
        """What is to be sent next; it waits on until it is `sent`."""
        while not self.waiting:
            self.some.clear()
            await self.some.wait()
        most = 1 if self.consumer.raw else _TOGETHER
        return list(itertools.islice(self.waiting, most))

    def sent(self, notices: Sequence[Notice]) -> None:
        """Forget what was taken."""
        if self.failures:
            logger.info("a consumer takes notifications again", extra=self.words())
        self.failures = 0
        gone = {notice.id for notice in notices}
        while self.waiting and self.waiting[0].id in gone:
            self._forget_first()

    def _forget_first(self) -> None:
        self.size -= len(self.waiting.popleft().message)

    def failed(self, error: CollectError) -> None:
        """Note that something was not taken."""
        self.failures += 1
        level = logging.WARNING if self.failures == 1 else logging.DEBUG
        logger.log(level, "a consumer was not notified: %s", error, extra=self.words())

    def words(self) -> dict[str, str]:
        """What a log record about it carries."""
        return {"consumer": self.consumer.reference.address}


class Subscriptions:
    """All subscriptions of a member whose service is at `address`.

    `manager` is the address of the subscription manager.
    """

    def __init__(self, *, address: str, manager: str, http: Http, now: Callable[[], int]) -> None:
        self._address = address
        self._manager = manager
        self._http = http
        self._now = now
        self._all: dict[str, Subscription] = {}

    def __iter__(self) -> Iterator[Subscription]:
        return iter(list(self._all.values()))

    def make(
        self,
        request: Subscribe,
        *,
        dialect: Dialect,
        termination: int | None,
        is_wanted: Callable[[Subscription, bytes], Awaitable[bool]],
    ) -> EndpointReference:
        """Begin a subscription; the EPR of its manager. `is_wanted` is asked of each message."""
        if len(self._all) >= MOST:
            raise SubscribeFailed(f"there are {MOST} subscriptions, which is all that there may be")
        key = f"{uuid.uuid4().hex}{secrets.token_hex(8)}"
        manager = EndpointReference(f"{self._manager}/{key}")
        consumer = _consumer(request, dialect, producer=self._address, manager=manager)
        made = Subscription(key, request, consumer, self._now(), termination)

        async def tell(notices: Sequence[Notice]) -> None:
            wanted = [one for one in notices if await is_wanted(made, one.message)]
            if wanted:
                await send(self._http, consumer, wanted)

        lane = Lane(take=made.take, send=tell, done=made.sent, failed=made.failed)
        made.task = asyncio.create_task(lane.run())
        self._all[key] = made
        return manager

    def get(self, key: str) -> Subscription:
        """The subscription of a key; raises ResourceUnknown."""
        found = self._all.get(key)
        if found is None or self._is_over(found):
            raise ResourceUnknown(f"there is no subscription {key[:100]!r}")
        return found

    def end(self, subscription: Subscription) -> None:
        """End a subscription; what waits is not sent any more."""
        self._all.pop(subscription.key, None)
        if subscription.task is not None:
            subscription.task.cancel()

    async def sweep(self) -> None:
        """End what is over, for ever."""
        while True:
            await asyncio.sleep(_SWEEP)
            for subscription in self:
                if self._is_over(subscription):
                    self.end(subscription)

    def close(self) -> None:
        """End all."""
        for subscription in self:
            self.end(subscription)

    def _is_over(self, subscription: Subscription) -> bool:
        return subscription.termination is not None and subscription.termination <= self._now()


def _consumer(
    request: Subscribe, dialect: Dialect, *, producer: str, manager: EndpointReference
) -> Consumer:
    written = partial(write_epr, namespace=dialect.nt, dialect=dialect)
    return Consumer(
        request.consumer,
        dialect,
        raw=request.raw,
        producer=written(EndpointReference(producer), name="ProducerReference"),
        manager=written(manager, name="SubscriptionReference"),
    )
