"""An archive opened by a command, on the store itself: no service need run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aggregator.config import Settings
from aggregator.errors import ConfigError
from aggregator.registry.opening import store_of
from aggregator.store.engine import Store, sqlite_path
from aggregator.store.groups import IDS
from aggregator.store.migrate import schema_is_current
from aggregator.wire.times import show_ahead


@dataclass(frozen=True, slots=True)
class Opened:
    """A group's archive."""

    store: Store
    group: str
    group_id: int


@contextmanager
def opened(settings: Settings, group: str) -> Iterator[Opened]:
    """The archive of a group as long as the block; ConfigError where there is none."""
    path = sqlite_path(settings.database_url, data_dir=settings.server.data_dir)
    if path is not None and not path.exists():
        raise ConfigError(
            f"there is no database at {path}; name its folder with --data-dir, or its URL with"
            " --database"
        )
    store = store_of(settings)
    try:
        if not schema_is_current(store):
            raise ConfigError(
                "the database is not of this version: run `aggregator migrate`, or start the"
                " service once"
            )
        show_ahead(store.clock.ahead)
        known: dict[str, int] = dict(store.query(IDS.rows))
        if group not in known:
            raise ConfigError(
                f"the store knows no group {group!r}; there are {', '.join(sorted(known))}"
            )
        yield Opened(store, group, known[group])
    finally:
        store.close()
