"""What is done by the clock beside collection: expired entries, old changes, signs of life."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from aggregator.collect import metrics
from aggregator.collect.pruning import Pruning
from aggregator.collect.recording import Recording
from aggregator.collect.schedule import MICROSECONDS
from aggregator.errors import StoreUnavailable
from aggregator.store.collection import prune_changes
from aggregator.store.consumers import close_orphans
from aggregator.store.entries import Removed, oldest_expired, remove_expired
from aggregator.store.processes import heartbeat
from aggregator.store.write import Write

logger = logging.getLogger(__name__)

#: Entries and changes of one transaction: other writers wait no longer than these take.
_BATCH, _CHANGES = 200, 2000
#: Entries of one sweep that have a line of their own above the level debug.
_NAMED = 20
#: Seconds between two signs of life, and at most between two prunings.
_HEARTBEAT, _PRUNE = 4, 60
ROLE = "collector"


class Housekeeping:
    """The jobs; those on the store's rows run only while `is_leader` says so."""

    def __init__(
        self,
        recording: Recording,
        *,
        process: str,
        is_leader: Callable[[], bool],
        interval: float,
        changes_kept: float,
        prunings: Sequence[Pruning] = (),
    ) -> None:
        self._recording = recording
        self._process = process
        self._is_leader = is_leader
        self._changes_kept = changes_kept
        self._prunings = prunings
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
        )
        every = partial(self._scheduler.add_job, trigger="interval")
        every(self._guarded, args=(self.remove_expired,), seconds=interval)
        every(self._guarded, args=(self.prune,), seconds=min(_PRUNE, changes_kept / 4))
        every(self._guarded, args=(self._sign,), seconds=_HEARTBEAT)

    def start(self) -> None:
        """Start the jobs on the running loop."""
        # It logs every run of a job, which says nothing here.
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        # Jobs tell their errors themselves; it would tell of those that end before they began.
        logging.getLogger("apscheduler.executors").setLevel(logging.CRITICAL)
        self._scheduler.start()

    def clock_was_set(self) -> None:
        """Run all jobs now: the scheduler goes by the time of day, which may have been set back."""
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=datetime.now(UTC))

    def stop(self) -> None:
        """Start no job any more."""
        self._scheduler.shutdown(wait=False)

    async def remove_expired(self) -> None:
        """Remove all expired entries, a batch at a time."""
        total = 0
        while self._is_leader():
            removed, lag = await self._recording.write(_remove_batch)
            if removed:
                metrics.EXPIRED.inc(len(removed))
                metrics.EXPIRY_LAG.observe(lag)
                _tell(removed, before=total)
                total += len(removed)
            if len(removed) < _BATCH:
                break
        if total > _NAMED:
            logger.info("%d more entries expired; the level debug names them", total - _NAMED)

    async def prune(self) -> None:
        """Drop changes that every reader has seen long ago, a batch at a time, addresses for
        notifications that nobody needs, and what else was kept for long enough."""
        kept = int(self._changes_kept * MICROSECONDS)
        if self._is_leader():
            await self._recording.write(close_orphans)

        def unit(write: Write) -> int:
            return prune_changes(write, write.now - kept, limit=_CHANGES)

        while self._is_leader() and await self._recording.write(unit) >= _CHANGES:
            pass
        for pruning in self._prunings:
            # What one of them stumbles over is nothing to the others.
            await _telling(partial(self._prune_all, pruning))

    async def _prune_all(self, pruning: Pruning) -> None:
        more = 1
        while more > 0 and self._is_leader():
            more = await self._recording.write(pruning.unit)
            pruning.committed()

    async def _sign(self) -> None:
        await self._recording.write(lambda write: heartbeat(write, self._process, ROLE))

    async def _guarded(self, job: Callable[[], Awaitable[None]]) -> None:
        try:
            await _telling(job)
        except asyncio.CancelledError:
            # So the scheduler ends what runs when it is stopped, and would call it an error.
            logger.debug("housekeeping ends with the collector")


async def _telling(job: Callable[[], Awaitable[None]]) -> None:
    """Do a job, and log what keeps it from being done."""
    try:
        await job()
    except StoreUnavailable as error:
        logger.warning("housekeeping waits for the store: %s", error)
    except Exception:
        logger.exception("housekeeping failed")


def _tell(removed: Sequence[Removed], *, before: int) -> None:
    """A line for each entry; when a whole site is lost, few of them are worth the room."""
    for number, (group, key, address) in enumerate(removed, before):
        level = logging.INFO if number < _NAMED else logging.DEBUG
        if not logger.isEnabledFor(level):
            break
        logger.log(level, "expired", extra={"group": group, "entry": key, "member": address})


def _remove_batch(write: Write) -> tuple[list[Removed], float]:
    """What was removed, and for how many seconds the first of them had been expired."""
    oldest = oldest_expired(write.connection, write.now)
    removed = remove_expired(write, _BATCH)
    return removed, 0.0 if oldest is None else (write.now - oldest) / MICROSECONDS
