"""Results of one group on their way to the store: delivered, published and committed in batches."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from aggregator.collect.delivering import Answer, Delivering, Portion
from aggregator.collect.dispatch import Result
from aggregator.errors import DeliverError, StoreUnavailable
from aggregator.store.collection import Outcome, record_outcomes
from aggregator.store.engine import Store
from aggregator.store.outcomes import HELD
from aggregator.store.write import Write

logger = logging.getLogger(__name__)
T = TypeVar("T")

#: Seconds in which results gather, so that one commit serves many.
GATHER = 0.1
#: Results of one commit; a transaction must not keep other writers waiting for long.
_MOST = 250
#: Results that may wait; past that the oldest are dropped, and the next collection makes up for it.
_BACKLOG = 20_000
#: Seconds for which what the first sink publishes waits for further ones, to be durable with what
#: they write; who is slower writes after it.
_GRACE = 0.5
#: Seconds until a store that did not take results is tried again.
_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Recording:
    """What all groups' recorders share."""

    store: Store
    holder: str
    stale_intervals: int
    write_timeout: float

    async def write(self, unit: Callable[[Write], T]) -> T:
        """Run a unit of work in the store's writer; StoreUnavailable in time."""
        future = asyncio.wrap_future(self.store.writer.submit(unit))
        try:
            async with asyncio.timeout(self.write_timeout):
                return await future
        except TimeoutError as error:
            raise StoreUnavailable("the store did not take the write in time") from error


class GroupRecorder:
    """Takes the results of one group and records them in the order in which they came."""

    def __init__(self, group: str, *, recording: Recording, sinks: Sequence[Delivering]) -> None:
        self._group = group
        self._recording = recording
        self._first, *self._others = sinks
        self._pending: deque[Result] = deque()
        #: Called when something was recorded that others may want to know.
        self.on_recorded: Callable[[], None] = lambda: None
        self._dropped = 0
        #: Whether the first sink writes before the others, and not with them.
        self._apart = False
        self._some = asyncio.Event()

    def put(self, result: Result) -> None:
        """Take a result; it is recorded soon."""
        self._pending.append(result)
        result.context.unrecorded += 1
        if len(self._pending) > _BACKLOG:
            self._pending.popleft().context.unrecorded -= 1
            self._dropped += 1
        self._some.set()

    async def run(self) -> None:
        """Record for ever."""
        while True:
            await self._some.wait()
            await asyncio.sleep(GATHER)
            try:
                await self.flush()
            except StoreUnavailable as error:
                logger.warning("results wait for the store: %s", error, extra=self._words())
                await asyncio.sleep(_PAUSE)
            except Exception:
                logger.exception("results were lost", extra=self._words())

    async def flush(self) -> None:
        """Record what is there now; StoreUnavailable leaves it in place."""
        # What comes meanwhile gathers again: each commit costs the readers as much, small or large.
        left = len(self._pending)
        while left > 0 and self._pending:
            batch = self._next_batch()
            left -= len(batch)
            try:
                await self._record(batch)
            except StoreUnavailable:
                self._pending.extendleft(reversed(batch))
                raise
            except BaseException:
                _let_go(batch)
                raise
            _let_go(batch)
        if not self._pending:
            self._some.clear()
        if self._dropped:
            logger.error("%d results came faster than sinks take them", self._dropped)
            self._dropped = 0

    def _next_batch(self) -> list[Result]:
        """The oldest results, at most one of an entry."""
        batch: dict[int, Result] = {}
        while self._pending and len(batch) < _MOST:
            if self._pending[0].context.assignment.id in batch:
                break
            result = self._pending.popleft()
            batch[result.context.assignment.id] = result
        return list(batch.values())

    async def _record(self, batch: Sequence[Result]) -> None:
        async with contextlib.AsyncExitStack() as turns:
            for sink in (self._first, *self._others):
                await turns.enter_async_context(sink.turn)
            await self._deliver([one for one in batch if not one.context.gone])

    async def _deliver(self, batch: Sequence[Result]) -> None:
        """Let all sinks take the results; what they write is durable together, or not at all."""
        collected = [result for result in batch if result.brings]
        portions = [Portion([result]) for result in batch if not result.brings]
        others = self._others if collected else []
        tasks = [asyncio.create_task(sink.deliver(collected)) for sink in others]
        try:
            if collected:
                portions += await self._first.deliver(collected)
            if tasks:
                await asyncio.wait(tasks, timeout=_GRACE)
            # Those that write with the first; none where that has just failed, perhaps for them.
            apart, self._apart = self._apart, True
            ready = [task.done() and not apart for task in tasks]
            further = [task.result() for task, in_time in zip(tasks, ready, strict=True) if in_time]
            spoilt, *spoilt_further = await self._recording.write(
                partial(self._store, portions=portions, further=further)
            )
            for portion in spoilt:
                singly = await self._first.deliver_singly(portion.results)
                await self._recording.write(partial(self._store, portions=singly))
            self.on_recorded()
            found = iter(spoilt_further)
            self._apart = False
            for sink, task, in_time in zip(others, tasks, ready, strict=True):
                await self._deliver_after(sink, next(found) if in_time else None, task)
        finally:
            for task in tasks:
                task.cancel()

    async def _deliver_after(
        self, sink: Delivering, spoilt: Sequence[Portion] | None, task: asyncio.Task[list[Portion]]
    ) -> None:
        """Write what a further sink did not write with the first; a trouble of its own alone."""
        try:
            if spoilt is None:
                spoilt = await self._apply(await task)
            for portion in spoilt:
                if len(portion.results) > 1:
                    await self._apply(await sink.deliver_singly(portion.results))
        except StoreUnavailable as error:
            # The store has just taken what the first sink publishes; so it will the next time.
            self._apart = True
            logger.warning(
                "the sink %s lost a delivery: %s", sink.sink.name, error, extra=self._words()
            )

    async def _apply(self, portions: Sequence[Portion]) -> list[Portion]:
        """Write what a further sink writes after the others; the portions that must be split."""
        return await self._recording.write(
            partial(_apply_all, portions=portions, holder=self._recording.holder)
        )

    def _store(
        self,
        write: Write,
        *,
        portions: Sequence[Portion],
        further: Sequence[Sequence[Portion]] = (),
    ) -> list[list[Portion]]:
        """The unit of work: what the first sink publishes, and what further ones write.

        Returns for each of them the portions that spoil each other and must be split.
        """
        outcomes: list[Outcome] = []
        spoilt: list[Portion] = []
        for portion in portions:
            if not _is_held(write, portion, self._recording.holder):
                # Another collector has taken over: what this one found is nobody's any more.
                if len(portion.results) > 1:
                    spoilt.append(portion)
                continue
            error = _applied(write, portion)
            if error is not None and len(portion.results) > 1:
                spoilt.append(portion)
                continue
            answers = portion.answers or [None] * len(portion.results)
            outcomes += map(
                lambda one, answer: _outcome(one, answer, error), portion.results, answers
            )
        record_outcomes(
            write,
            outcomes,
            holder=self._recording.holder,
            stale_intervals=self._recording.stale_intervals,
        )
        holder = self._recording.holder
        return [spoilt, *(_apply_all(write, portions=one, holder=holder) for one in further)]

    def _words(self) -> dict[str, str]:
        return {"group": self._group}


def _let_go(batch: Sequence[Result]) -> None:
    for result in batch:
        result.context.unrecorded -= 1


def _applied(write: Write, portion: Portion) -> DeliverError | None:
    """Write what the sink wrote; why that failed, or why there is nothing to write."""
    if portion.error is not None or portion.tables is None:
        return portion.error
    try:
        portion.tables.apply(write)
    except DeliverError as error:
        logger.warning("%s", error)
        return DeliverError("the sink's tables did not take the data")
    return None


def _apply_all(write: Write, *, portions: Sequence[Portion], holder: str) -> list[Portion]:
    return [
        portion
        for portion in portions
        if not _is_held(write, portion, holder) or _applied(write, portion) is not None
    ]


def _is_held(write: Write, portion: Portion, holder: str) -> bool:
    """Whether a sink may write: the lease must be there under which all was collected."""
    if portion.tables is None or portion.tables.is_empty:
        return True
    held: dict[int, int] = dict(HELD.rows(write.connection, of=holder))
    return all(held.get(one.context.assignment.shard) == one.epoch for one in portion.results)


def _outcome(result: Result, answer: Answer, error: DeliverError | None) -> Outcome:
    context = result.context
    assigned = context.assignment
    failed = result.error
    if error is not None:
        failed = "sink-failed", f"the data could not be published: {error}"
    collected = result.collected
    # A turn that only looked after what the source set up says nothing of what came by itself.
    is_upkeep = assigned.plan.upkeep > 0 and not result.messages and not result.brings
    keeps_error = is_upkeep and not failed and context.spoilt
    if not keeps_error:
        context.spoilt = failed is not None and (bool(result.messages) or error is not None)
    return Outcome(
        entry=assigned.id,
        attempt=result.attempt,
        epoch=result.epoch,
        shard=assigned.shard,
        data=None if failed else answer,
        error=failed,
        remember=collected.remember if collected is not None else None,
        skipped=result.skipped,
        messages=result.messages,
        keeps_error=keeps_error,
    )
