"""The clock of a member's producers: each at its own period, never beside itself."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from aggregator.errors import CollectError
from aggregator.member.health import failed, succeeded
from aggregator.member.producers import Producer
from aggregator.member.resource import Resource
from aggregator.model import Health

logger = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0


class Upkeep:
    """Keeps the values of a resource fresh while its task runs."""

    def __init__(
        self, resource: Resource, producers: Sequence[Producer], *, now: Callable[[], int]
    ) -> None:
        self._resource = resource
        self._producers = tuple(producers)
        self._now = now
        self._health = [Health()] * len(producers)
        self._first = [asyncio.Event() for _ in producers]

    def start(self) -> list[asyncio.Task[None]]:
        """Begin; cancelling the tasks ends it."""
        return [
            asyncio.create_task(self._keep(number), name=f"producer {number + 1}")
            for number in range(len(self._producers))
        ]

    async def first_round(self, *, within: float) -> None:
        """Wait until each producer has run once, at most so long."""
        waiting = [asyncio.create_task(event.wait()) for event in self._first]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=within)
            for task in late:
                task.cancel()

    async def _keep(self, number: int) -> None:
        """Run one producer for ever, or as often as its settings say."""
        producer = self._producers[number]
        worked = await self._run(number)
        self._first[number].set()
        if not worked and producer.settings.first_failure == "cancel":
            logger.warning(
                "producer %d (%s of %s) is cancelled: its first run failed",
                number + 1,
                producer.settings.kind,
                producer.settings.name,
            )
            return
        if producer.settings.period:
            await self._keep_on(number, producer.settings.period)
        elif not worked:
            await self._try_again(number)

    async def _keep_on(self, number: int, period: float) -> None:
        """Run at whole periods from now on; those that a long run covers are skipped."""
        loop = asyncio.get_running_loop()
        due = loop.time() + period
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            await self._run(number)
            skipped = max(0, math.floor((loop.time() - due) / period))
            due += (skipped + 1) * period
            if skipped:
                self._skip(number, skipped)

    async def _try_again(self, number: int) -> None:
        """Repeat a producer that is to run once, until it has worked once."""
        for pause in _pauses():
            await asyncio.sleep(pause)
            if await self._run(number):
                return

    async def _run(self, number: int) -> bool:
        """One run; its result or its failure is published."""
        producer = self._producers[number]
        try:
            pieces = await producer.run()
        except CollectError as error:
            self._fail(number, error)
            return False
        except Exception:
            logger.exception("producer %d failed by a mistake of the program", number + 1)
            self._fail(number, CollectError("an internal error", code="internal"))
            return False
        if self._health[number].consecutive_failures:
            logger.info("producer %d (%s) works again", number + 1, producer.settings.name)
        self._resource.deliver(number, pieces)
        self._set_health(number, succeeded(self._health[number], at=self._now()))
        return True

    def _fail(self, number: int, error: CollectError) -> None:
        settings = self._producers[number].settings
        logger.warning(
            "producer %d (%s of %s) failed: %s%s",
            number + 1,
            settings.kind,
            settings.name,
            error.message,
            f" ({error.detail.strip()})" if error.detail.strip() else "",
        )
        self._set_health(number, failed(self._health[number], error, at=self._now()))

    def _skip(self, number: int, skipped: int) -> None:
        logger.warning("producer %d ran over %d of its periods", number + 1, skipped)
        health = self._health[number]
        told = replace(health, skipped_overruns=health.skipped_overruns + skipped)
        self._set_health(number, told)

    def _set_health(self, number: int, health: Health) -> None:
        self._health[number] = health
        self._resource.set_health(number, health)


def _pauses() -> Iterator[float]:
    """Seconds between tries: doubling, up to a minute."""
    pause = _FIRST_PAUSE
    while True:
        yield pause
        pause = min(2 * pause, _LONGEST_PAUSE)
