"""Updates of the aggregators: asked for every interval, stored in their order, kept for a while."""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial

from aggregator.errors import AggregatorFailed, StoreUnavailable
from aggregator.reports import metrics
from aggregator.reports.feeding import PAUSE
from aggregator.reports.process import Pushed, Reply
from aggregator.reports.singleton import Reach, Singleton
from aggregator.store.report_updates import append_update

logger = logging.getLogger(__name__)


async def ask_updates(one: Singleton, *, interval: float) -> None:
    """Ask an aggregator for an update every `interval` seconds for ever.

    While the store is away it is not asked: what it would tell might be lost.
    """
    while True:
        await one.up()
        began = time.monotonic()
        if one.outbox.is_empty():
            try:
                _take(one, await one.call({"call": "update", "now": time.time()}))
            except AggregatorFailed as error:
                logger.warning("no update: %s", error)
        await asyncio.sleep(max(0.0, began + interval - time.monotonic()))


def _take(one: Singleton, reply: Reply) -> None:
    if reply.outcome == "answered" and one.facts is not None:
        type = one.facts.updates[0] if one.facts.updates else ""
        one.outbox.put(Pushed(type, reply.kind, reply.data))
    elif reply.outcome != "none":
        logger.warning("no update of %s: %s", one.name, reply.error)


async def store_updates(one: Singleton, *, reach: Reach) -> None:
    """Store what an aggregator pushes for ever; raises LeaseLost."""
    while True:
        pushed = await one.outbox.get()
        unit = partial(
            append_update,
            aggregator=one.name,
            type=pushed.type or one.name,
            kind=pushed.kind,
            data=pushed.data,
        )
        while True:
            try:
                await reach.record(unit)
                break
            except StoreUnavailable as error:
                logger.warning("an update of %s waits for the store: %s", one.name, error)
                await asyncio.sleep(PAUSE)
        metrics.UPDATES.labels(one.name).inc()
