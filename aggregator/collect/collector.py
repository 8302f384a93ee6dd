"""The collector: takes up the entries of the shards it holds, and lets go of those it lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping

from aggregator.collect import metrics
from aggregator.collect.collecting import Collecting
from aggregator.collect.farewell import Farewell
from aggregator.collect.following import Following
from aggregator.errors import StoreUnavailable
from aggregator.store.collection import Assignment

logger = logging.getLogger(__name__)

#: Seconds between two looks at the groups' changes; and until the store is asked again.
_FOLLOW, _PAUSE = 0.1, 1.0


class Collector:
    """Follows the lease and the groups' changes for ever.

    `epochs` tells what the lease holds at this instant; entries of other groups than `groups`
    are left alone.
    """

    def __init__(
        self,
        *,
        following: Following,
        collecting: Collecting,
        farewell: Farewell,
        groups: Collection[str],
        epochs: Callable[[], Mapping[int, int]],
    ) -> None:
        self._following = following
        self._collecting = collecting
        self._farewell = farewell
        self._groups = frozenset(groups)
        self._epochs = epochs
        self._must_load = True
        self._farewells: set[asyncio.Task[None]] = set()

    def lease_changed(self, epochs: Mapping[int, int]) -> None:
        """Take note of shards that came or went; what went is collected no more, at once."""
        metrics.SHARDS.set(len(epochs))
        self._must_load = True
        if epochs:
            self._collecting.keep(epochs)
        else:
            self._collecting.stop()

    async def follow(self) -> None:
        """Take up and let go, for ever."""
        while True:
            try:
                if not self._epochs():
                    pass
                elif self._must_load:
                    await self._load_all()
                else:
                    await self._take_news()
            except StoreUnavailable as error:
                logger.warning("the store can't be followed: %s", error)
                await asyncio.sleep(_PAUSE)
            self._collecting.tell_metrics()
            await asyncio.sleep(_FOLLOW)

    async def _load_all(self) -> None:
        """Take up everything that is ours, let go of what is not in the store any more."""
        self._must_load = False
        held = frozenset(self._epochs())
        gone = self._collecting.entries()
        try:
            await self._following.begin()
            after = 0
            while page := await self._following.page(held, after=after):
                if self._must_load:
                    return
                for assignment in page:
                    gone.discard(assignment.id)
                    self._take_up(assignment, held)
                after = page[-1].id
        except StoreUnavailable:
            self._must_load = True
            raise
        for entry in gone:
            self._let_go(entry)
        logger.info(
            "collecting %d entries of %d shards", len(self._collecting.entries()), len(held)
        )

    async def _take_news(self) -> None:
        news = await self._following.news()
        if news is None:
            logger.warning("the log of changes is shorter than what was missed; reading all anew")
            self._must_load = True
            return
        held = self._epochs()
        for assignment in news.added:
            self._take_up(assignment, held)
        for entry in news.removed:
            self._let_go(entry)

    def _take_up(self, assignment: Assignment, held: Collection[int]) -> None:
        if assignment.shard in held and assignment.group in self._groups:
            self._collecting.take_up(assignment)

    def _let_go(self, entry: int) -> None:
        context = self._collecting.let_go(entry)
        if context is not None:
            task = asyncio.create_task(self._farewell.say(context))
            self._farewells.add(task)
            task.add_done_callback(self._farewells.discard)
