"""The controller of reports: while the lease is held here, the aggregators are, and are fed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from aggregator.config.reports import ReportsSettings
from aggregator.errors import AggregatorException, ModuleRefused, StoreUnavailable
from aggregator.reports.answering import Answering
from aggregator.reports.feeding import Feeding
from aggregator.reports.keeping import keep_short, show
from aggregator.reports.modules import folders_of, modules_of, subtree
from aggregator.reports.singleton import LeaseLost, Reach, Singleton
from aggregator.reports.updating import ask_updates, store_updates
from aggregator.store.report_feeding import SHARD
from aggregator.store.report_status import AggregatorState, announce_aggregators, saved_data
from aggregator.store.report_tables import STARTING
from aggregator.store.write import Write

logger = logging.getLogger(__name__)

#: Seconds between two looks at the lease; and until what could not begin is tried again.
_LOOK, _PAUSE = 0.05, 1.0
#: Seconds that what is processed already is given to be recorded at the end.
_FINISH = 2.0


class Controller:
    """Has the aggregators of the deployment while `epochs` says that the lease is held."""

    def __init__(
        self,
        settings: ReportsSettings,
        *,
        ask: Callable[[Callable[[Any], Any]], Awaitable[Any]],
        write: Callable[[Callable[[Write], Any]], Awaitable[Any]],
        epochs: Callable[[], Mapping[int, int]],
        holder: str,
        clock: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._ask = ask
        self._write = write
        self._epochs = epochs
        self._holder = holder
        self._clock = clock

    async def run(self) -> None:
        """Work for ever, whenever the lease is held; what fails is logged and begun again."""
        while True:
            epoch = self._epochs().get(SHARD)
            if epoch is None:
                await asyncio.sleep(_LOOK)
                continue
            try:
                await self._lead(Reach(self._ask, self._write, self._holder, epoch))
            except LeaseLost:
                logger.warning("the lease is another's: the aggregators ended here")
            except (ModuleRefused, StoreUnavailable) as error:
                logger.error("the aggregators can't be started: %s", error)
            except Exception:
                logger.exception("bug in the controller of reports; the aggregators are made anew")
            await asyncio.sleep(_PAUSE)

    async def _lead(self, reach: Reach) -> None:
        """Have the aggregators until the lease is lost."""
        singletons = await self._made(reach)
        feeding = Feeding(
            singletons, reach=reach, max_tries=self._settings.max_tries, clock=self._clock
        )
        answering = Answering(singletons, reach=reach, clock=self._clock)
        work: list[Awaitable[None]] = [feeding.run(), answering.run(), answering.tell()]
        work += [keep_short(self._settings, reach), self._watch(reach)]
        announce = partial(self._announce, singletons, reach)
        for one in singletons:
            work += [one.keep(announce), feeding.serve(one), store_updates(one, reach=reach)]
            work.append(ask_updates(one, interval=self._settings.update_interval))
        tasks = [asyncio.ensure_future(one) for one in work]
        try:
            await _first_failure(tasks)
        finally:
            await self._end(singletons, feeding, tasks)

    async def _made(self, reach: Reach) -> list[Singleton]:
        tree = await asyncio.to_thread(modules_of, self._settings)
        saved = await self._ask(saved_data)
        folders = folders_of(self._settings)
        singletons = [
            Singleton(
                one.name,
                subtree(one.name, tree),
                folders,
                reach=reach,
                call_timeout=self._settings.call_timeout,
                largest=self._settings.max_answer,
                saved=saved.get(one.name),
            )
            for one in tree
        ]
        await self._announce(singletons, reach)
        return singletons

    async def _announce(self, singletons: Sequence[Singleton], reach: Reach) -> None:
        """Say what is known of the aggregators; of another class nothing is."""
        states = [
            AggregatorState(
                one.name,
                one.facts.reports if one.facts else (),
                one.facts.requests if one.facts else (),
                one.facts.updates if one.facts else (),
                error="" if one.facts else one.error or STARTING,
            )
            for one in singletons
            if one.facts is None or one.facts.is_aggregator
        ]
        await reach.record(partial(announce_aggregators, found=states))

    async def _watch(self, reach: Reach) -> None:
        """End with LeaseLost once the lease is not held any more, or is another one."""
        while self._epochs().get(SHARD) == reach.epoch:
            await asyncio.sleep(_LOOK)
        raise LeaseLost

    async def _end(
        self,
        singletons: Sequence[Singleton],
        feeding: Feeding,
        tasks: Sequence[asyncio.Future[None]],
    ) -> None:
        """Record what is processed, where that still counts; end all else."""
        try:
            if self._epochs().get(SHARD) is not None:
                with suppress(AggregatorException, LeaseLost, TimeoutError):
                    async with asyncio.timeout(_FINISH):
                        await feeding.finish()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            show(0, 0)
            await asyncio.gather(*(one.leave() for one in singletons))


async def _first_failure(tasks: Sequence[asyncio.Future[None]]) -> None:
    """Wait until one fails; those that end well are done."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        task.result()
