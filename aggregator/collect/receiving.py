"""Notifications from the inbox to their sources, each entry's in the order in which they came."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from aggregator.collect import metrics
from aggregator.collect.assignments import Assignments
from aggregator.collect.content import plain
from aggregator.collect.context import EntryContext
from aggregator.collect.dispatch import Result, checked
from aggregator.collect.following import Following
from aggregator.contract import Collected, SourceType
from aggregator.errors import CollectError, StoreUnavailable
from aggregator.registry.plugins import Plugins
from aggregator.store.consumers import Message, Waiting, load_messages, waiting_messages
from aggregator.store.published import published_content

logger = logging.getLogger(__name__)

#: Seconds between two looks into the inbox; and until a store that is away is asked again.
_LOOK, _PAUSE = 0.05, 1.0
#: Messages of one look, and of one entry at a time.
_MOST, _TOGETHER = 5000, 200
#: Entries whose messages are received at the same time.
_AT_ONCE = 64
#: Seconds that a source may take for one message.
_PATIENCE = 10.0
#: Seconds after which a message that is still there is taken up again: what it led to was lost.
_LOST = 30.0


class Receiving:
    """Hands what waits in the inbox to the entries' sources, and their results to `record`.

    A message leaves the inbox in the transaction that stores what it led to. `epochs` tells what
    the lease holds at this instant; `shards` is how many there are, `again` asks for an entry's
    next turn after some seconds. `is_needed` tells whether any entry has such a source.
    """

    def __init__(
        self,
        *,
        following: Following,
        assignments: Assignments,
        plugins: Plugins,
        epochs: Callable[[], Mapping[int, int]],
        record: Callable[[Result], None],
        again: Callable[[int, float], None],
        is_needed: Callable[[], bool],
        clock: Callable[[], int],
        shards: int,
    ) -> None:
        self._following = following
        self._assignments = assignments
        self._plugins = plugins
        self._epochs = epochs
        self._record = record
        self._again = again
        self._is_needed = is_needed
        self._clock = clock
        self._shards = shards
        self._places = asyncio.Semaphore(_AT_ONCE)
        # What is being dealt with: when it was taken up, by the message's number.
        self._taken: dict[int, float] = {}
        self._busy: dict[int, asyncio.Task[None]] = {}

    async def receive(self) -> None:
        """Receive for ever."""
        while True:
            try:
                if self._epochs() and self._is_needed():
                    await self._look()
                await asyncio.sleep(_LOOK)
            except StoreUnavailable as error:
                logger.warning("the inbox can't be read: %s", error)
                await asyncio.sleep(_PAUSE)

    async def _look(self) -> None:
        """Take up what is new, of entries that have nothing under way."""
        held = frozenset(self._epochs())
        question = partial(waiting_messages, shards=held, of=self._shards, each=_TOGETHER)
        rows = await self._following.ask(partial(question, most=_MOST))
        self._forget(rows)
        # What an entry's last messages led to must be published before the next are received: they
        # are changes to that.
        busy = {row.entry for row in rows if row.id in self._taken} | self._busy.keys()
        found: dict[int, list[int]] = {}
        for row in rows:
            if row.entry not in busy and not self._is_at_work(row.entry):
                found.setdefault(row.entry, []).append(row.id)
        for entry, numbers in found.items():
            self._taken.update(dict.fromkeys(numbers, time.monotonic()))
            task = asyncio.create_task(self._receive_all(entry, numbers))
            self._busy[entry] = task
            task.add_done_callback(partial(self._is_through, entry))

    def _is_at_work(self, entry: int) -> bool:
        """Whether an entry is not to be disturbed, or a result of it is not recorded yet."""
        context = self._assignments.get(entry)
        return context is not None and (context.unrecorded > 0 or context.turn.locked())

    def _is_through(self, entry: int, task: asyncio.Task[None]) -> None:
        del self._busy[entry]
        if not task.cancelled() and (error := task.exception()):
            logger.error("bug in receiving notifications", exc_info=error)

    def _forget(self, rows: Sequence[Waiting]) -> None:
        """Let go of the numbers that left the inbox, and of those that should have long ago."""
        here = {row.id for row in rows}
        lost = time.monotonic() - _LOST
        self._taken = {
            number: at for number, at in self._taken.items() if number in here and at > lost
        }

    async def _receive_all(self, entry: int, numbers: Sequence[int]) -> None:
        try:
            async with self._places:
                context = await self._context(entry)
                if context is None:
                    return
                if self._is_at_work(entry):
                    self._give_back(numbers)
                    return
                async with context.turn:
                    await self._receive_in_turn(context, numbers)
        except StoreUnavailable as error:
            logger.warning("notifications wait for the store: %s", error)
            self._give_back(numbers)

    def _give_back(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._taken.pop(number, None)

    async def _receive_in_turn(self, context: EntryContext, numbers: Sequence[int]) -> None:
        entry = context.assignment.id
        messages = await self._following.ask(partial(load_messages, ids=numbers))
        context.content = await self._following.ask(partial(published_content, entry=entry))
        try:
            for message in messages:
                await self._receive(context, message)
        finally:
            context.content = ()

    async def _context(self, entry: int) -> EntryContext | None:
        context = self._assignments.get(entry)
        if context is None:
            loaded = await self._following.load([entry])
            context = self._assignments.put(loaded[0]) if loaded else None
        return context

    async def _receive(self, context: EntryContext, message: Message) -> None:
        assigned = context.assignment
        source = self._plugins.source(assigned.plan.source)
        epoch = self._epochs().get(assigned.shard)
        if source is None or epoch is None or context.gone:
            return
        collected: Collected | None = None
        error: tuple[str, str] | None = None
        try:
            collected = await _received(source, context, message.message)
        except CollectError as failed:
            error = plain(failed.code, 64), plain(failed.message, 1000)
            logger.warning("%s: %s", source.name, failed, extra=context.words())
        except (Exception, SystemExit):
            error = "internal", "the source failed; the service's log tells more"
            logger.exception("%s failed, which is a bug of it", source.name, extra=context.words())
        metrics.RECEIVED.labels(source.name, error[0] if error else "success").inc()
        if collected is not None:
            context.memory.update(collected.remember)
            context.last_success = self._clock()
            if collected.content is not None:
                context.content = collected.content
            if collected.again is not None:
                self._again(assigned.id, collected.again)
        at = context.received = self._clock()
        self._record(Result(context, at, epoch, collected, error, 0, (message.id,)))


async def _received(source: SourceType, context: EntryContext, message: bytes) -> Collected:
    plan = context.assignment.plan
    try:
        async with asyncio.timeout(_PATIENCE):
            found = await source.source.receive(plan, message, context=context)
    except TimeoutError as error:
        raise CollectError(
            f"the source took longer than {_PATIENCE:g} s for a notification", code="timeout"
        ) from error
    return checked(found, source)
