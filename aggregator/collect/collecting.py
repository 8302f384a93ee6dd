"""The beat of collection: who is due gets a turn, who has one is collected, as the lease allows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from aggregator.collect import metrics
from aggregator.collect.assignments import Assignments
from aggregator.collect.context import EntryContext
from aggregator.collect.dispatch import Dispatcher, Result, Run
from aggregator.collect.schedule import MICROSECONDS, Schedule, Scheduled
from aggregator.collect.turns import Lane, Turns
from aggregator.errors import StoreUnavailable
from aggregator.registry.plugins import Plugins
from aggregator.store.collection import Assignment

logger = logging.getLogger(__name__)

#: Seconds between two looks at who is due, at least and at most. Waking up costs several times
#: what a collection does, so that one look should serve many.
_SHORTEST, _LONGEST = 0.05, 0.5


class Collecting:
    """Collects the entries it is given until they are let go.

    `load` reads assignments from the store, `epochs` tells what the lease holds at this instant,
    `record` takes the results. At most `most` collections run at once, `share` of a source at
    most, none longer than `limit` seconds; `clock` is the store's.
    """

    def __init__(
        self,
        *,
        assignments: Assignments,
        plugins: Plugins,
        load: Callable[[Collection[int]], Awaitable[Sequence[Assignment]]],
        epochs: Callable[[], Mapping[int, int]],
        record: Callable[[Result], None],
        clock: Callable[[], int],
        most: int,
        share: Callable[[str], int],
        limit: float,
    ) -> None:
        self._assignments = assignments
        self._plugins = plugins
        self._load = load
        self._epochs = epochs
        self._record = record
        self._clock = clock
        self._most = most
        self._share = share
        self._loop = asyncio.get_running_loop()
        self._schedule = Schedule(self._loop.time, on_skip=_count_skipped)
        self._turns = Turns(most, share=share)
        self._dispatcher = Dispatcher(limit=limit, on_result=self._on_result, clock=clock)
        self._timer: asyncio.TimerHandle | None = None
        self._notified: set[int] = set()
        self._loading: set[asyncio.Task[None]] = set()

    def take_up(self, assignment: Assignment) -> None:
        """Collect an entry from now on: at once when it never was, else at its own offset."""
        if assignment.id in self._schedule or not assignment.plan.turn:
            return
        self._assignments.put(assignment)
        if assignment.plan.upkeep:
            self._notified.add(assignment.id)
        self._schedule.add(
            assignment.id,
            key=assignment.key,
            group=assignment.group,
            source=assignment.plan.source,
            shard=assignment.shard,
            interval=assignment.plan.turn,
            instant=self._clock(),
            at_once=assignment.last_attempt is None,
        )
        self._arm()

    def again(self, entry: int, seconds: float) -> None:
        """Let the next turn of an entry come after so many seconds."""
        self._schedule.again(entry, seconds)
        self._arm()

    def let_go(self, entry: int) -> EntryContext | None:
        """Collect an entry no more; its context where a farewell is due."""
        self._schedule.remove(entry)
        self._notified.discard(entry)
        return self._assignments.drop(entry)

    @property
    def is_notified(self) -> bool:
        """Whether entries are among them whose sources are pushed to."""
        return bool(self._notified)

    def entries(self) -> set[int]:
        """The ids of all that is collected."""
        return {scheduled.entry for scheduled in self._schedule}

    def keep(self, shards: Collection[int]) -> None:
        """Let go, without farewell, of what is in no shard of these."""
        for scheduled in self._schedule:
            if scheduled.shard not in shards:
                self.let_go(scheduled.entry)

    def stop(self) -> None:
        """Let go of everything and end what is under way, at once and without farewell."""
        self._schedule.clear()
        self._notified.clear()
        self._assignments.clear()
        # Turns that are taken are given back to nobody.
        self._turns = Turns(self._most, share=self._share)
        self._dispatcher.cancel_all()

    async def finish(self, *, within: float) -> None:
        """Start nothing more and let what is under way end by itself for a while, then stop."""
        self._schedule.clear()
        if self._timer is not None:
            self._timer.cancel()
        await self._dispatcher.finish(within=within)
        self.stop()

    def _arm(self) -> None:
        """See to it that the next look comes in time."""
        now = self._loop.time()
        due = self._schedule.next_deadline()
        wanted = now + _LONGEST if due is None else min(max(due, now + _SHORTEST), now + _LONGEST)
        if self._timer is not None:
            if self._timer.when() <= wanted:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(wanted, self._look)

    def _look(self) -> None:
        self._timer = None
        for scheduled in self._schedule.due():
            self._turns.wait(scheduled)
        self._dispatcher.end_overdue()
        self._start()
        self._arm()

    def tell_metrics(self) -> None:
        """Bring the gauges up to date."""
        metrics.SCHEDULED.set(len(self._schedule))
        metrics.RUNNING.set(self._turns.running)
        metrics.WAITING.set(self._turns.waiting)

    def _start(self) -> None:
        """Start whose turn it is; what is not in memory is read first, all of it together."""
        missing: list[tuple[Scheduled, Lane]] = []
        while (turn := self._turns.take()) is not None:
            context = self._assignments.get(turn[0].entry)
            if context is None:
                missing.append(turn)
            else:
                self._dispatch(turn, context)
        if missing:
            task = self._loop.create_task(self._start_missing(missing, self._turns))
            self._loading.add(task)
            task.add_done_callback(self._loading.discard)

    async def _start_missing(self, turns: Sequence[tuple[Scheduled, Lane]], of: Turns) -> None:
        try:
            loaded = await self._load([scheduled.entry for scheduled, _ in turns])
        except StoreUnavailable as error:
            logger.warning("%d collections are left out: %s", len(turns), error)
            loaded = []
        found = {assignment.id: assignment for assignment in loaded}
        for scheduled, lane in turns:
            assignment = found.get(scheduled.entry)
            if assignment is not None and not scheduled.gone and of is self._turns:
                self._dispatch((scheduled, lane), self._assignments.put(assignment))
            else:
                scheduled.busy = False
                of.done(lane)

    def _dispatch(self, turn: tuple[Scheduled, Lane], context: EntryContext) -> None:
        scheduled, lane = turn
        turns = self._turns
        # Asking may be what finds the lease lost, which ends all turns.
        epoch = self._epochs().get(scheduled.shard)
        if epoch is None:
            scheduled.busy = False
            turns.done(lane)
            return
        source = self._plugins.source(scheduled.source)
        self._dispatcher.start(scheduled, lane=lane, context=context, source=source, epoch=epoch)

    def _on_result(self, run: Run, result: Result) -> None:
        self._turns.done(run.lane)
        if result.collected is not None:
            context = result.context
            if result.collected.again is not None:
                self.again(context.assignment.id, result.collected.again)
            if context.last_success is not None:
                age = (self._clock() - context.last_success) / MICROSECONDS
                metrics.DATA_AGE.observe(max(0.0, age))
            context.last_success = result.attempt
            context.memory.update(result.collected.remember)
        self._record(result)
        if self._turns.waiting:
            self._start()


def _count_skipped(scheduled: Scheduled, turns: int) -> None:
    metrics.OVERRUNS.labels(scheduled.source).inc(turns)
