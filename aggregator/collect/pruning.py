"""What housekeeping drops of what was kept for long enough, beside changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from aggregator.archive.retention import Retention
from aggregator.bus.assembly import prune
from aggregator.collect.triggering import prune_triggers
from aggregator.config import Settings
from aggregator.store.archive_partitions import make_partitions
from aggregator.store.write import Write


def _nothing() -> None:
    return


@dataclass(frozen=True, slots=True)
class Pruning:
    """A unit of work that drops some, and tells how much; called until there is no more.

    `committed` is called after each time, once it is durable.
    """

    unit: Callable[[Write], int]
    committed: Callable[[], None] = _nothing


def prunings_of(settings: Settings) -> Sequence[Pruning]:
    """All there are; among them what makes the partitions of days to come."""
    retention = Retention(settings)
    return (
        Pruning(partial(prune, settings=settings)),
        Pruning(partial(prune_triggers, settings=settings)),
        Pruning(make_partitions),
        Pruning(retention, retention.committed),
    )
