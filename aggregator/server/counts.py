"""The counts of groups for readers: from the store, or as last known while that is away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aggregator.errors import StoreUnavailable
from aggregator.registry.registry import ServiceGroup
from aggregator.store.accumulators import Accumulator, read_accumulator
from aggregator.store.action_counts import read_fired
from aggregator.store.engine import Store

Reading = Callable[[Any, int, int], Accumulator]


class Counts:
    """Reads the accumulators of the groups; the last value of each is kept for bad times."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last: dict[tuple[Reading, int], Accumulator] = {}

    def read(self, group: ServiceGroup, *, now: int) -> Accumulator:
        """The group's RegistrationCount over all processes; raises StoreUnavailable where none is
        known."""
        return self._read(read_accumulator, group, now)

    def fired(self, group: ServiceGroup, *, now: int) -> Accumulator:
        """The group's ActionsFiredCount; raises as `read` does."""
        return self._read(read_fired, group, now)

    def _read(self, reading: Reading, group: ServiceGroup, now: int) -> Accumulator:
        key = reading, group.id
        try:
            found = self._store.query(lambda connection: reading(connection, group.id, now))
        except StoreUnavailable:
            if key not in self._last:
                raise
            return self._last[key]
        self._last[key] = found
        return found
