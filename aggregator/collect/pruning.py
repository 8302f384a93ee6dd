"""What housekeeping drops of what was kept for long enough, beside changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from aggregator.archive.retention import Retention
from aggregator.bus.assembly import prune
from aggregator.collect.triggering import prune_triggers
from aggregator.config import Settings
from aggregator.store.write import Write


def prunings_of(settings: Settings) -> Sequence[Callable[[Write], int]]:
    """Units of work that each drop some, and tell how much; called until there is no more."""
    return (
        partial(prune, settings=settings),
        partial(prune_triggers, settings=settings),
        Retention(settings),
    )
