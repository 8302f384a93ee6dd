"""Handing what was collected to one sink, whose failures stay its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from aggregator.archive.keeping import Archives
from aggregator.archive.keeping_measurements import DeliveredMeasurements
from aggregator.collect import metrics
from aggregator.collect.content import check_content, is_shipped, plain
from aggregator.collect.context import DeliveryContext
from aggregator.collect.dispatch import Result
from aggregator.collect.sink_triggers import SinkTriggers
from aggregator.config import Settings
from aggregator.contract import Collected, Delivery, SinkType
from aggregator.errors import AggregatorException, ConfigError, DeliverError
from aggregator.model import MemberFacts
from aggregator.registry.plugins import Plugins
from aggregator.store.collection import Assignment
from aggregator.store.engine import Store
from aggregator.store.sink_tables import StoreTables
from aggregator.triggers.watching import Watching

logger = logging.getLogger(__name__)
T = TypeVar("T")

#: Seconds that a sink may take for one call.
PATIENCE = 10.0

Answer = tuple[bytes, ...] | None


@dataclass(frozen=True, slots=True)
class Portion:
    """Results that a sink took together, with what it answered and writes; or why it did not."""

    results: Sequence[Result]
    answers: Sequence[Answer] = ()
    tables: StoreTables | None = None
    error: DeliverError | None = None


@dataclass(frozen=True, slots=True)
class Delivering:
    """The way of one group to one of its sinks.

    Who has it deliver or forget holds `turn` until that is written: what is forgotten stays so.
    """

    group: str
    sink: SinkType
    store: Store
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    #: Who holds rules against what is delivered, where sinks of the service want that.
    watching: Watching | None = None
    archives: Archives = field(default_factory=Archives)

    async def deliver(self, results: Sequence[Result]) -> list[Portion]:
        """Offer results; where the sink can't take them together, each on its own."""
        try:
            return [await self._together(results)]
        except DeliverError as error:
            if len(results) == 1:
                metrics.DELIVERY_FAILURES.labels(self.sink.name).inc()
                return [Portion(results, error=error)]
        return await self.deliver_singly(results)

    async def deliver_singly(self, results: Sequence[Result]) -> list[Portion]:
        """Offer results one by one."""
        return [portion for one in results for portion in await self.deliver([one])]

    async def forget(self, entry: MemberFacts) -> StoreTables:
        """Tell the sink that an entry is gone; raises DeliverError."""
        tables = StoreTables(self.store, self.sink.name)
        await self._guarded(self.sink.sink.forget(entry, context=self._context(tables, {})))
        return tables

    async def _together(self, results: Sequence[Result]) -> Portion:
        tables = StoreTables(self.store, self.sink.name)
        batch = self._batch(results)
        assigned = {one.context.assignment.key: one.context.assignment for one in results}
        deliver = self.sink.sink.deliver(batch, context=self._context(tables, assigned))
        answers = self._checked(await self._guarded(deliver), len(results))
        return Portion(results, answers, tables)

    def _batch(self, results: Sequence[Result]) -> list[Delivery]:
        try:
            return [self._delivery(one, one.collected) for one in results if one.collected]
        except AggregatorException as error:
            # What an earlier version stored, this one may not read.
            raise DeliverError(f"the member can't be read: {plain(str(error), 500)}") from error

    def _delivery(self, result: Result, collected: Collected) -> Delivery:
        plan = result.context.assignment.sink_plans.get(self.sink.name)
        interval = result.context.assignment.plan.interval
        return Delivery(result.context.member, plan, collected, result.attempt, interval)

    def _context(self, tables: StoreTables, assigned: Mapping[str, Assignment]) -> DeliveryContext:
        archive = self.archives.of(self.group, tables.join)
        triggers = None
        if self.watching is not None:
            triggers = SinkTriggers(self.watching, tables, assigned)
        now = self.store.clock.now
        kept = DeliveredMeasurements(tables.join)
        return DeliveryContext(self.sink.name, self.group, tables, archive, kept, now, triggers)

    def _checked(self, published: Sequence[Answer], expected: int) -> Sequence[Answer]:
        try:
            answers = list(published)
            if len(answers) != expected:
                raise TypeError(f"expected {expected} answers, not {len(answers)}")
            if not is_shipped(self.sink.sink):
                for answer in answers:
                    if answer is not None:
                        check_content(answer)
        except Exception as error:
            raise self._bug(error) from error
        return answers

    async def _guarded(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(PATIENCE):
                return await work
        except TimeoutError as error:
            told = f"the sink took longer than {PATIENCE:g} s"
            logger.warning("%s: %s", self.sink.name, told, extra={"group": self.group})
            raise DeliverError(told) from error
        except DeliverError as error:
            logger.warning("the sink %s: %s", self.sink.name, error, extra={"group": self.group})
            raise DeliverError(plain(str(error), 500)) from error
        except (Exception, SystemExit) as error:
            raise self._bug(error) from error

    def _bug(self, error: BaseException) -> DeliverError:
        logger.error(
            "the sink %s failed, which is a bug of it",
            self.sink.name,
            exc_info=error,
            extra={"group": self.group},
        )
        return DeliverError("the sink failed; the service's log tells more")


def deliverings(
    settings: Settings,
    plugins: Plugins,
    store: Store,
    archives: Archives,
    watching: Watching | None = None,
) -> dict[str, Sequence[Delivering]]:
    """Each group's ways to its sinks, in their order; ConfigError for one that is not there."""
    found: dict[str, Sequence[Delivering]] = {}
    for name, group in settings.groups.items():
        for sink in group.sinks:
            if sink not in plugins.sinks:
                raise ConfigError(
                    f"{sink!r} is not installed; there are {', '.join(sorted(plugins.sinks))}",
                    element=f"groups.{name}.sinks",
                )
        found[name] = [
            Delivering(name, plugins.sinks[sink], store, watching=watching, archives=archives)
            for sink in group.sinks
        ]
    return found
