"""One aggregator of the deployment: kept running, called within a time, made anew if it fails."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from aggregator.errors import AggregatorFailed, StoreUnavailable
from aggregator.reports import metrics
from aggregator.reports.modules import ModuleClass
from aggregator.reports.outbox import Outbox
from aggregator.reports.process import AggregatorProcess, Reply, Started
from aggregator.store.report_status import save_data, tell_aggregator
from aggregator.store.write import Write

logger = logging.getLogger(__name__)

#: Seconds until an aggregator is started again that ended soon; doubled, up to the second, each
#: time that it does not start at all.
_PAUSE, _LONGEST = 0.5, 30.0
#: Seconds after which it did not end soon.
_LIVED_WELL = 5.0


class LeaseLost(Exception):
    """Another collector has the lease by now: nothing that is known here counts any more."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The ways to the store, under a lease: what is written there counts only while it is held."""

    ask: Callable[[Callable[[Any], Any]], Awaitable[Any]]
    write: Callable[[Callable[[Write], Any]], Awaitable[Any]]
    holder: str
    epoch: int

    async def record(self, unit: Callable[..., bool]) -> None:
        """Run a unit of work with `holder` and `epoch`; raises LeaseLost where it returns False."""
        if not await self.write(partial(unit, holder=self.holder, epoch=self.epoch)):
            raise LeaseLost


async def _announced(announce: Callable[[], Awaitable[None]]) -> None:
    """Announce, however long the store is away."""
    while True:
        try:
            return await announce()
        except StoreUnavailable as error:
            logger.warning("what is shown of the aggregators is old: %s", error)
            await asyncio.sleep(_PAUSE)


class Singleton:
    """The one aggregator of a class. `call` waits for its turn; what is asked first comes first."""

    def __init__(
        self,
        name: str,
        tree: Sequence[ModuleClass],
        folders: Sequence[Path],
        *,
        reach: Reach,
        call_timeout: float,
        largest: int,
        saved: str | None,
    ) -> None:
        self.name = name
        #: What it takes and answers; None until it was started for the first time.
        self.facts: Started | None = None
        self._tree = tree
        self._folders = folders
        self._reach = reach
        self._timeout = call_timeout
        self._saved = saved
        self._turn = asyncio.Lock()
        self._log = logging.LoggerAdapter(logger, {"aggregator": name})
        self._process = AggregatorProcess(name, largest, self._save, self._log)
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._down.set()
        self.error = ""
        #: What it pushed, to be stored in this order.
        self.outbox = Outbox(size=largest)

    @property
    def is_busy(self) -> bool:
        """Whether a call is under way."""
        return self._turn.locked()

    @property
    def is_up(self) -> bool:
        """Whether it runs, as far as is known."""
        return self._up.is_set()

    @property
    def is_starting(self) -> bool:
        """Whether it is not known yet what it takes, or that it does not start."""
        return self.facts is None and not self.error

    def takes(self, type: str) -> bool:
        """Whether it takes reports of a type."""
        return self.facts is not None and type in self.facts.reports

    def answers(self, type: str) -> bool:
        """Whether it answers REQUESTs of a type."""
        return self.facts is not None and type in self.facts.requests

    async def up(self) -> None:
        """Wait until it runs."""
        await self._up.wait()

    async def keep(self, announce: Callable[[], Awaitable[None]]) -> None:
        """Keep it running for ever; `announce` is called when more is known of it than before."""
        pause, began = _PAUSE, -math.inf
        while True:
            await self._down.wait()
            if time.monotonic() - began < _LIVED_WELL:
                await asyncio.sleep(pause * random.uniform(0.75, 1.25))
            began = time.monotonic()
            try:
                known = self.facts
                await self._start()
                if known != self.facts:
                    await _announced(announce)
                if not self.facts or not self.facts.is_aggregator:
                    return
                await self._tell("")
                pause = _PAUSE
            except AggregatorFailed as error:
                self._log.error("%s does not start: %s", self.name, error)
                self.error = str(error)
                await self._tell(self.error)
                pause = min(2 * pause, _LONGEST)

    async def _tell(self, error: str) -> None:
        try:
            await self._reach.record(partial(tell_aggregator, name=self.name, error=error))
        except StoreUnavailable as failed:
            logger.warning("what is shown of %s is old: %s", self.name, failed)

    async def _start(self) -> None:
        async with self._turn:
            try:
                async with asyncio.timeout(self._timeout):
                    self.facts = await self._process.start(
                        self._tree, self._folders, saved=self._saved
                    )
            except TimeoutError as error:
                self._process.end()
                raise AggregatorFailed(
                    f"it took longer than {self._timeout:g} s to start", reason="hung"
                ) from error
            except BaseException:
                self._process.end()
                raise
            if not self.facts.is_aggregator:
                self._process.end()
                return
            self.error = ""
            self._down.clear()
            self._up.set()
            metrics.STARTED.labels(self.name).inc()

    async def call(
        self,
        header: Mapping[str, Any],
        body: bytes = b"",
        *,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> Reply:
        """Call it; AggregatorFailed where it does not run, which has the reason "down", hangs or
        dies over the call. The latter two have it made anew.

        `is_wanted` is asked when its turn comes: what nobody waits for any more is not done.
        """
        async with self._turn:
            if not is_wanted():
                raise AggregatorFailed(f"{self.name} had no time for it", reason="hung")
            if self._process.has_ended:
                self._end()
            if not self._process.is_up:
                why = f": {self.error}" if self.error else ""
                raise AggregatorFailed(f"{self.name} does not run now{why}", reason="down")
            try:
                async with asyncio.timeout(self._timeout):
                    reply = await self._process.call(header, body)
            except TimeoutError as error:
                self._end()
                raise AggregatorFailed(
                    f"{self.name} took longer than {self._timeout:g} s", reason="hung"
                ) from error
            except AggregatorFailed as error:
                self._end()
                raise AggregatorFailed(f"{self.name}: {error}", reason=error.reason) from error
            except BaseException:
                # Its answer would be taken for that to the next call.
                self._end()
                raise
            for one in reply.pushed:
                self.outbox.put(one)
            return reply

    def _end(self) -> None:
        self._process.end()
        self._up.clear()
        self._down.set()

    async def _save(self, data: str) -> None:
        unit = partial(save_data, aggregator=self.name, data=data)
        await self._reach.record(unit)
        self._saved = data

    async def leave(self) -> None:
        """End it: the lease is another's, or the service stops. Safe twice."""
        self._up.clear()
        await self._process.leave()
