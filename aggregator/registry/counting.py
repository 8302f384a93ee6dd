"""RegistrationCount: every Add counts, the accepted in its own transaction, the refused soon."""

from __future__ import annotations

import logging
import threading
from collections import Counter

from aggregator.errors import StoreUnavailable
from aggregator.store.accumulators import accumulate
from aggregator.store.engine import Store
from aggregator.store.write import Write

log = logging.getLogger(__name__)


class RegistrationCounter:
    """Counts refused Adds without making anybody wait for the disk.

    What comes in while a write is under way is written together with the next, so that a flood
    of refusals costs a write per commit and not one per request.
    """

    def __init__(self, store: Store, *, process: str) -> None:
        self._store = store
        self._process = process
        self._lock = threading.Lock()
        self._pending: Counter[int] = Counter()
        self._writing = False

    def accepted(self, write: Write, group_id: int) -> None:
        """Count an accepted Add in its own transaction."""
        accumulate(write, group_id, self._process, 1)

    def refused(self, group_id: int) -> None:
        """Count a refused Add; it is the only thing that a refused Add changes."""
        with self._lock:
            self._pending[group_id] += 1
            if self._writing:
                return
            self._writing = True
        self._flush()

    def _flush(self) -> None:
        taken: Counter[int] = Counter()

        def unit(write: Write) -> None:
            with self._lock:
                taken.clear()
                taken.update(self._pending)
            for group_id, number in taken.items():
                accumulate(write, group_id, self._process, number)

        try:
            future = self._store.writer.submit(unit)
        except StoreUnavailable:
            self._done(Counter())
            return
        future.add_done_callback(
            lambda done: self._done(taken if done.exception() is None else Counter())
        )

    def _done(self, written: Counter[int]) -> None:
        with self._lock:
            self._pending.subtract(written)
            self._pending = +self._pending
            again = bool(self._pending) and bool(written)
            self._writing = again
        if again:
            self._flush()
