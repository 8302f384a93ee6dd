"""Reports from the inbox to the aggregators: each gets those of its types, in the order they came.

A report is done once all aggregators that take its type have processed it. One that fails is set
aside and tried again later, and is dead after some tries; the others go on meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from aggregator.errors import AggregatorFailed, StoreUnavailable
from aggregator.reports import metrics
from aggregator.reports.singleton import Reach, Singleton
from aggregator.store.report_feeding import (
    Processed,
    StoredReport,
    load_reports,
    record_processed,
    waiting_reports,
)

logger = logging.getLogger(__name__)

#: Seconds between two looks into the inbox; and until a store that is away is asked again. After a
#: look that brought nothing the next is later, up to so many seconds.
LOOK, PAUSE, QUIET = 0.05, 1.0, 0.2
#: Reports, and bytes of them, that are taken up at a time, and how many may be of one aggregator,
#: and of one node in one look.
_MOST, _ROOM, _EACH, _TOGETHER = 2000, 64 * 2**20, 500, 50
#: Reports of one look: more than can be under way, which are the oldest.
_LOOKED_AT = 2 * _MOST
#: Types that nobody takes so far which are remembered, so that they are not looked at in vain.
_UNCLAIMED = 500
#: Seconds until a report is tried again: doubled with each try, up to the second.
_AGAIN, _LATEST = 1.0, 60.0
_SECOND = 1_000_000
#: Seconds that calls under way are given at the end.
_FINISH = 1.0


@dataclass(slots=True)
class _Underway:
    """A report that was handed out: to whom it is with, and of whom it has failed."""

    report: StoredReport
    waits_for: set[str]
    failed: dict[str, str] = field(default_factory=dict)


def next_look(pause: float, *, found: bool) -> float:
    """Seconds until the next look, after one that was `pause` seconds after that before it."""
    return LOOK if found else min(2 * pause, QUIET)


class Feeding:
    """Feeds the aggregators of one lease; `max_tries` is how often a report is tried."""

    def __init__(
        self,
        singletons: Sequence[Singleton],
        *,
        reach: Reach,
        max_tries: int,
        clock: Callable[[], int],
    ) -> None:
        self._singletons = singletons
        self._reach = reach
        self._max_tries = max_tries
        self._clock = clock
        self._queues = {one.name: asyncio.Queue[_Underway]() for one in singletons}
        self._held: Counter[str] = Counter()
        self._underway: dict[int, _Underway] = {}
        self._size = 0
        self._done: list[Processed] = []
        # Types that nobody takes as far as is known, while not all of the aggregators are.
        self._unclaimed: set[str] = set()

    async def run(self) -> None:
        """Feed for ever; raises LeaseLost."""
        pause = LOOK
        while True:
            try:
                await self.flush()
                pause = next_look(pause, found=await self._look())
                await asyncio.sleep(pause)
            except StoreUnavailable as error:
                logger.warning("reports wait for the store: %s", error)
                await asyncio.sleep(PAUSE)

    async def serve(self, one: Singleton) -> None:
        """Hand one aggregator what is queued for it, for ever."""
        queue = self._queues[one.name]
        while True:
            await one.up()
            underway = await queue.get()
            error = await _process(one, underway.report)
            self._held[one.name] -= 1
            underway.waits_for.discard(one.name)
            if error:
                underway.failed[one.name] = error
            if not underway.waits_for:
                self._settle(underway)

    async def finish(self) -> None:
        """Hand nothing more out, and record what is processed already, and what is so soon."""
        for queue in self._queues.values():
            while not queue.empty():
                self._underway.pop(queue.get_nowait().report.number, None)
        loop = asyncio.get_running_loop()
        until = loop.time() + _FINISH
        while loop.time() < until and any(one.is_busy for one in self._singletons):
            await asyncio.sleep(LOOK)
        await self.flush()

    async def flush(self) -> None:
        """Record what became of reports; where the store is away they stay here, and raise."""
        if not self._done:
            return
        done, self._done = self._done, []
        try:
            await self._reach.record(partial(record_processed, found=done))
        except BaseException:
            self._done = done + self._done
            raise
        for one in done:
            underway = self._underway.pop(one.number, None)
            if underway is not None:
                self._size -= len(underway.report.data)
        metrics.WAITING.set(len(self._underway))

    async def _look(self) -> bool:
        """Take up what is new, as much as there is room for; whether all may soon be different."""
        all_known = all(one.facts is not None for one in self._singletons)
        # Of one that was started meanwhile they may be, though others never start.
        self._unclaimed = (
            set() if all_known else {type for type in self._unclaimed if not self._takers(type)}
        )
        if len(self._underway) >= _MOST or self._size >= _ROOM:
            return True
        question = partial(
            waiting_reports,
            now=self._clock(),
            full=self._full_types() | self._unclaimed,
            each=_TOGETHER,
            most=_LOOKED_AT,
        )
        numbers: list[int] = []
        room = _ROOM - self._size
        for row in await self._reach.ask(question):
            if row.number in self._underway:
                continue
            if not all_known and not self._takers(row.type):
                if len(self._unclaimed) < _UNCLAIMED:
                    self._unclaimed.add(row.type)
                continue
            # One that is larger than all the room is taken alone.
            if len(self._underway) + len(numbers) >= _MOST or (row.size > room and numbers):
                break
            numbers.append(row.number)
            room -= row.size
        if numbers:
            for report in await self._reach.ask(partial(load_reports, numbers=numbers)):
                self._hand_out(report)
            metrics.WAITING.set(len(self._underway))
        return bool(self._underway)

    def _full_types(self) -> set[str]:
        """Types of reports of which an aggregator has as many as it may hold."""
        return {
            type
            for one in self._singletons
            if one.facts is not None and self._held[one.name] >= _EACH
            for type in one.facts.reports
        }

    def _takers(self, type: str) -> set[str]:
        return {one.name for one in self._singletons if one.takes(type)}

    def _hand_out(self, report: StoredReport) -> None:
        takers = self._takers(report.type)
        if not takers:
            metrics.UNCLAIMED.inc()
        wanted = takers - report.taken
        underway = _Underway(report, wanted)
        self._underway[report.number] = underway
        self._size += len(report.data)
        for name in list(wanted):
            self._held[name] += 1
            self._queues[name].put_nowait(underway)
        if not wanted:
            self._settle(underway)

    def _settle(self, underway: _Underway) -> None:
        """Note what became of a report: it is recorded with the next flush."""
        report = underway.report
        if not underway.failed:
            self._done.append(Processed(report.number))
            return
        tries = report.tries + 1
        is_dead = tries >= self._max_tries
        pause = min(_AGAIN * 2 ** (tries - 1), _LATEST)
        takers = self._takers(report.type)
        error = "; ".join(underway.failed.values())
        logger.warning(
            "the report %s of %s (%s) failed %d times%s: %s",
            report.id,
            report.node,
            report.type,
            tries,
            " and is dead" if is_dead else "",
            error,
        )
        if is_dead:
            metrics.DEAD.inc()
        self._done.append(
            Processed(
                report.number,
                error,
                tries,
                None if is_dead else self._clock() + round(pause * _SECOND),
                frozenset(takers - underway.failed.keys()),
            )
        )


async def _process(one: Singleton, report: StoredReport) -> str:
    """Have an aggregator process a report; why that failed, empty where it did not.

    One that does not run is waited for: what it was not handed has not failed.
    """
    said = {
        "call": "report",
        "type": report.type,
        "node": report.node,
        "id": report.id,
        "time": report.at / _SECOND,
    }
    while True:
        await one.up()
        # What it pushes waits for the store, and what makes it push more waits for that.
        await one.outbox.room()
        try:
            reply = await one.call(said, report.data)
            break
        except AggregatorFailed as error:
            if error.reason == "down":
                continue
            metrics.PROCESSED.labels(one.name, error.reason).inc()
            return str(error)
    if reply.outcome in ("answered", "none"):
        metrics.PROCESSED.labels(one.name, "done").inc()
        return ""
    metrics.PROCESSED.labels(one.name, reply.outcome).inc()
    return f"{one.name}: {reply.error}"
