"""Undoing what was set up for entries that are gone, until it is undone or has ended by itself."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from aggregator.collect.context import EntryContext, Offered
from aggregator.collect.following import Following
from aggregator.collect.recording import Recording
from aggregator.collect.schedule import MICROSECONDS
from aggregator.errors import CollectError, StoreUnavailable
from aggregator.registry.plugins import Plugins
from aggregator.store.collection import Assignment
from aggregator.store.releases import left_to_release, released

logger = logging.getLogger(__name__)

#: Seconds between two looks; that a source may take; and until the second try.
_LOOK, _PATIENCE, _PAUSE = 0.5, 20.0, 2.0
_MOST, _LONGEST_PAUSE = 100, 60.0
_WEEK = 7 * 86_400 * MICROSECONDS


@dataclass(slots=True)
class _Try:
    due: float = 0.0
    pause: float = _PAUSE
    task: asyncio.Task[None] | None = None


class Releasing:
    """Has sources release what they set up for entries that are gone.

    It is given up `lifetime` seconds after the entry went, or when what was set up has ended by
    itself, whichever is later, but after a week in any case. Those that fail for long keep no
    others waiting: all are looked at in turn.
    """

    def __init__(
        self,
        *,
        following: Following,
        recording: Recording,
        plugins: Plugins,
        offered: Offered,
        epochs: Callable[[], Mapping[int, int]],
        shards: int,
        lifetime: float,
    ) -> None:
        self._following = following
        self._recording = recording
        self._plugins = plugins
        self._offered = offered
        self._epochs = epochs
        self._shards = shards
        self._lifetime = int(lifetime * MICROSECONDS)
        self._tries: dict[int, _Try] = {}
        # How far this round has come, and what it has met.
        self._after = 0
        self._met: set[int] = set()

    async def release(self) -> None:
        """Release for ever."""
        while True:
            try:
                if held := self._epochs():
                    await self._look(held)
            except StoreUnavailable as error:
                logger.warning("what is left to release can't be read: %s", error)
            await asyncio.sleep(_LOOK)

    async def _look(self, held: Mapping[int, int]) -> None:
        question = partial(left_to_release, shards=frozenset(held), limit=_MOST, of=self._shards)
        left = await self._following.ask(partial(question, after=self._after))
        now = time.monotonic()
        self._met.update(number for number, _, _ in left)
        self._after = left[-1][0] if len(left) == _MOST else 0
        if not self._after:
            self._tries = {number: self._tries.get(number) or _Try() for number in self._met}
            self._met.clear()
        for number, at, assignment in left:
            one = self._tries.setdefault(number, _Try())
            if one.task is None and one.due <= now:
                one.task = asyncio.create_task(self._release(number, at, assignment, one))

    async def _release(self, number: int, at: int, assignment: Assignment, one: _Try) -> None:
        context = EntryContext(assignment, offered=self._offered)
        try:
            if not await self._released(context):
                if self._offered.clock() < self._until(context, at):
                    one.due = time.monotonic() + one.pause * random.uniform(0.5, 1.5)
                    one.pause = min(2 * one.pause, _LONGEST_PAUSE)
                    return
                logger.warning("given up, it ends with its lifetime", extra=context.words())
            await self._recording.write(partial(released, number=number))
        except StoreUnavailable as error:
            logger.warning("a release waits for the store: %s", error, extra=context.words())
        finally:
            one.task = None

    def _until(self, context: EntryContext, at: int) -> int:
        """Until when it is tried to undo what was set up for an entry that went at an instant."""
        source = self._plugins.source(context.assignment.plan.source)
        lasts = source.source.lasts_until(context.memory) if source else None
        return min(max(at + self._lifetime, lasts or 0), at + _WEEK)

    async def _released(self, context: EntryContext) -> bool:
        assigned = context.assignment
        source = self._plugins.source(assigned.plan.source)
        if source is None:
            return False
        try:
            async with asyncio.timeout(_PATIENCE):
                await source.source.release(assigned.plan, context=context)
        except (CollectError, TimeoutError) as error:
            logger.info("%s could not release: %s", source.name, error, extra=context.words())
            return False
        except (Exception, SystemExit):
            logger.exception("%s could not release", source.name, extra=context.words())
            return False
        return True
