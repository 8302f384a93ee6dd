"""RegistrationCount for readers: from the store, or as it was last known while that is away."""

from __future__ import annotations

from aggregator.errors import StoreUnavailable
from aggregator.registry.registry import ServiceGroup
from aggregator.store.accumulators import Accumulator, read_accumulator
from aggregator.store.engine import Store


class Counts:
    """Reads the accumulators of the groups; the last value of each is kept for bad times."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last: dict[int, Accumulator] = {}

    def read(self, group: ServiceGroup, *, now: int) -> Accumulator:
        """The group's count over all processes; raises StoreUnavailable where none is known."""
        try:
            found = self._store.query(lambda c: read_accumulator(c, group.id, now))
        except StoreUnavailable:
            if group.id not in self._last:
                raise
            return self._last[group.id]
        self._last[group.id] = found
        return found
