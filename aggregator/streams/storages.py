"""The storages that a streamer was told of, by their keys."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from aggregator.errors import StorageUnknown, StreamValueError
from aggregator.store.engine import Store
from aggregator.store.stream_columns import check_key, declared, shown
from aggregator.store.stream_databases import takes_infinity
from aggregator.store.stream_storages import NewRow, Storage, add_storage
from aggregator.streams.values import as_row


class Storages:
    """Storages of one database; may be asked by any number of threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Storage] = {}
        self._takes_infinity = takes_infinity(store)

    def add(self, table_key: str, keys: Sequence[str], types: Sequence[str]) -> None:
        """Have a storage there; raises StreamRefused and StoreUnavailable."""
        columns = declared(keys, types)
        key = check_key(table_key)
        self._known[key] = add_storage(self._store, key, columns)

    def of(self, table_key: str | None) -> Storage:
        """The storage of a key; raises StorageUnknown."""
        found = self._known.get(table_key) if isinstance(table_key, str) else None
        if found is None:
            raise StorageUnknown(
                f"there is no storage {shown(table_key)} but"
                f" {', '.join(sorted(self.keys())) or 'none at all'}; add_storage adds one"
            )
        return found

    def row(self, table_key: str, at: object, values: Sequence[Any]) -> NewRow:
        """A row that is to be stored; raises StorageUnknown and StreamValueError."""
        storage = self.of(table_key)
        row = as_row(storage.key, storage.columns, at, values)
        if not self._takes_infinity and any(value in (math.inf, -math.inf) for value in row):
            raise StreamValueError(
                f"a row of {storage.key!r} is infinite, which MariaDB can't keep"
            )
        return NewRow(storage, row)

    def keys(self) -> list[str]:
        """The keys of all."""
        return list(self._known)

    def all(self) -> list[Storage]:
        """All of them."""
        return list(self._known.values())
