"""What is kept of reports, kept short: ids of old reports, dead ones, old updates, old REQUESTs."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from aggregator.config.reports import ReportsSettings
from aggregator.errors import StoreUnavailable
from aggregator.reports import metrics
from aggregator.reports.singleton import Reach
from aggregator.store.report_feeding import bury_reports
from aggregator.store.report_inbox import WINDOW, forget_reports, some_nodes
from aggregator.store.report_requests import drop_requests
from aggregator.store.report_status import count_reports
from aggregator.store.report_updates import prune_updates
from aggregator.store.write import Write

logger = logging.getLogger(__name__)

#: Seconds between two rounds, and nodes of one transaction: others wait no longer than these take.
_ROUND, _NODES = 5.0, 50
_SECOND = 1_000_000


async def keep_short(settings: ReportsSettings, reach: Reach) -> None:
    """Keep it short for ever."""
    after = ""
    while True:
        await asyncio.sleep(_ROUND)
        try:
            show(*await reach.ask(count_reports))
            await reach.write(partial(_drop, settings=settings))
            # All nodes in turns, some in each round; of ten thousand each is looked at within
            # a minute or so, by which what it sent has not become much.
            for _ in range(settings.max_nodes // (10 * _NODES) + 1):
                after = await reach.write(partial(_forget, settings=settings, after=after))
                if not after:
                    break
        except StoreUnavailable as error:
            logger.info("what is kept of reports waits for the store: %s", error)


def show(waiting: int, dead: int) -> None:
    """Show how many reports wait and are dead; nothing where others know."""
    metrics.INBOX.set(waiting)
    metrics.ASIDE.set(dead)


def _drop(write: Write, settings: ReportsSettings) -> None:
    prune_updates(write, most=settings.updates_kept, size=settings.updates_size)
    bury_reports(write, most=settings.max_dead)
    drop_requests(write)


def _forget(write: Write, settings: ReportsSettings, after: str) -> str:
    """Forget what some nodes sent long ago; the last of them, empty at the end."""
    # As many as tell whether the next report comes too soon.
    remembered = max(settings.remembered, settings.max_rate * WINDOW)
    before = write.now - round(settings.node_age * _SECOND)
    nodes = some_nodes(write, after=after, most=_NODES)
    for node in nodes:
        forget_reports(write, node, remembered=remembered, before=before)
    return nodes[-1] if len(nodes) == _NODES else ""
