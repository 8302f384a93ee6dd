"""Results of one group on their way to the store: delivered, published and committed in batches."""

from __future__ import annotations

import asyncio
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
        async with self._first.turn:
            await self._deliver_first([one for one in batch if not one.context.gone])
        for sink in self._others:
            async with sink.turn:
                await self._deliver_also(
                    sink, [one for one in batch if one.brings and not one.context.gone]
                )

    async def _deliver_first(self, batch: Sequence[Result]) -> None:
        """Let the first sink take the results, and record what it publishes."""
        collected = [result for result in batch if result.brings]
        portions = [Portion([result]) for result in batch if not result.brings]
        if collected:
            portions += await self._first.deliver(collected)
        spoilt = await self._recording.write(partial(self._store, portions=portions))
        for portion in spoilt:
            singly = await self._first.deliver_singly(portion.results)
            await self._recording.write(partial(self._store, portions=singly))
        self.on_recorded()

    def _store(self, write: Write, *, portions: Sequence[Portion]) -> list[Portion]:
        """The unit of work; returns the portions that spoil each other and must be split."""
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
        return spoilt

    async def _deliver_also(self, sink: Delivering, results: Sequence[Result]) -> None:
        """Let a further sink take the results; what it publishes is nobody's content."""
        if not results:
            return
        try:
            portions = await sink.deliver(results)
            holder = self._recording.holder
            apply = partial(_apply_all, holder=holder)
            spoilt = await self._recording.write(partial(apply, portions=portions))
            for portion in spoilt:
                if len(portion.results) > 1:
                    singly = await sink.deliver_singly(portion.results)
                    await self._recording.write(partial(apply, portions=singly))
        except StoreUnavailable as error:
            logger.warning(
                "the sink %s lost a delivery: %s", sink.sink.name, error, extra=self._words()
            )

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
