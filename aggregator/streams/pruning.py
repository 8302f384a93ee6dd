"""Removing rows that need not be kept any more, as the retention says."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from aggregator.errors import StoreUnavailable
from aggregator.store.engine import Store
from aggregator.store.stream_positions import sent_by_all
from aggregator.store.stream_storages import Storage, last_row, prune_rows
from aggregator.store.write import Write
from aggregator.streams.retention import Retention

logger = logging.getLogger(__name__)

#: Seconds of the caller's clock between two looks; rows that go in one transaction, for who stores
#: must not wait long; and transactions of one look.
_PAUSE, _MOST, _ROUNDS = 1.0, 2000, 50


class Pruning:
    """Removes the rows of a streamer's storages. Used by one thread at a time."""

    def __init__(self, store: Store, retention: Retention) -> None:
        self._store = store
        self._retention = retention
        self._looked: float | None = None
        #: Rows that were removed though a stream had not sent them.
        self.lost = 0

    def prune(self, now: float, storages: Iterable[Storage]) -> None:
        """Remove what is to be removed by an instant; what fails is tried again later."""
        if not self._retention.removes:
            return
        if self._looked is not None and abs(now - self._looked) < _PAUSE:
            return
        self._looked = now
        for storage in list(storages):
            try:
                self._prune(storage, now)
            except StoreUnavailable as error:
                logger.warning("old rows of %s stay for now: %s", storage.key, error)

    def _prune(self, storage: Storage, now: float) -> None:
        unsent = 0
        for _ in range(_ROUNDS):
            removed, lost = self._store.writer.run(
                lambda write: _removed(write, storage, self._retention, now)
            )
            unsent += lost
            if removed < _MOST:
                break
        if unsent:
            self.lost += unsent
            logger.warning(
                "%d rows of %s were removed that not every stream had sent", unsent, storage.key
            )


def _removed(write: Write, storage: Storage, kept: Retention, now: float) -> tuple[int, int]:
    """How many rows were removed, and how many of them a stream had not sent."""
    sent = sent_by_all(write.connection, storage)
    upto = sent if kept.sent else None
    if kept.count is not None:
        upto = max(upto or 0, last_row(write.connection, storage) - kept.count)
    before = None if kept.age is None else now - kept.age
    found = prune_rows(write, storage, upto=upto, before=before, most=_MOST)
    # The numbers of a storage have no gaps.
    unsent = 0 if sent is None else min(found.rows, max(0, found.last - sent))
    return found.rows, unsent
