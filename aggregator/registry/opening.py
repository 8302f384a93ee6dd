"""Opens the store that the settings name; called after the fork, once per process."""

from __future__ import annotations

from aggregator.config import Settings
from aggregator.registry.metrics import LOCK_WAIT
from aggregator.store.engine import Store, open_store


def store_of(settings: Settings) -> Store:
    """The store of this process; the caller closes it."""
    store = open_store(
        url=settings.database_url,
        data_dir=settings.server.data_dir,
        pool_size=settings.store.pool_size,
        busy_timeout=settings.store.busy_timeout,
        write_timeout=settings.store.write_timeout,
    )
    store.writer.lock_wait.observer = LOCK_WAIT.observe
    return store
