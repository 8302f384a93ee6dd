"""Removing rows that need not be kept any more, as the retention says."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial

from aggregator.errors import StoreUnavailable
from aggregator.store.engine import Store
from aggregator.store.stream_positions import forget_set_aside, sent_by_all
from aggregator.store.stream_storages import Pruned, Storage, last_row, prune_rows
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
        # Up to which row each table was looked through, beyond its oldest rows.
        self._through: dict[str, int] = {}
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
        """Remove the oldest rows, and go on with those behind rows that stay, a piece at a time."""
        front = self._walk(storage, now, after=0)
        if self._retention.age is None:
            return
        # A row whose instant lies in the future stays, and there may be old ones behind it.
        through = self._through.pop(storage.key, None) or front
        further = None if through is None else self._walk(storage, now, after=through)
        if further is not None:
            self._through[storage.key] = further

    def _walk(self, storage: Storage, now: float, *, after: int) -> int | None:
        """Go through rows for as long as some are removed; up to where, None if to the end."""
        for _ in range(_ROUNDS):
            found, unsent = self._store.writer.run(
                partial(_removed, storage=storage, kept=self._retention, now=now, after=after)
            )
            if unsent:
                self.lost += unsent
                logger.warning(
                    "%d rows of %s were removed that not every stream had sent", unsent, storage.key
                )
            if found.upto is None:
                return None
            after = found.upto
            if not found.rows:
                break
        return after


def _removed(
    write: Write, storage: Storage, kept: Retention, now: float, after: int
) -> tuple[Pruned, int]:
    """What was removed, and how many of it a stream had not sent."""
    sent = sent_by_all(write.connection, storage)
    upto = sent if kept.sent else None
    if kept.count is not None:
        upto = max(upto or 0, last_row(write.connection, storage) - kept.count)
    before = None if kept.age is None else now - kept.age
    found = prune_rows(write, storage, after=after, upto=upto, before=before, most=_MOST)
    if found.rows:
        forget_set_aside(write, storage.key, found.rows)
    unsent = 0 if sent is None else sum(number > sent for number in found.rows)
    return found, unsent
