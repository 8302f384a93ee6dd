"""What a metadata store offers, wherever it lies."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from aggregator.errors import MeasurementError
from aggregator.measurement.stored import StoredData, StoredMetadata, stored_data
from aggregator.wire.nmwg_metadata import DATA, METADATA
from aggregator.wire.parse import Element


class StoreUnreadable(MeasurementError):
    """Raised where the metadata store can't be opened or read."""


class Pair(NamedTuple):
    """A data element with its metadata; either may be gone since the key was noted."""

    metadata: StoredMetadata | None
    data: StoredData | None


class OpenedStore(Protocol):
    """The metadata store as it is during one request."""

    def by_key(self, ma_key: str) -> Pair | None:
        """What a maKey stands for, by the key hash alone; None for a key that is unknown."""

    def search(self, metadata: Element) -> list[StoredMetadata]:
        """What matches a request's metadata, in the order of the store."""

    def all(self) -> list[StoredMetadata]:
        """Everything, in the order of the store."""


class MetadataStore(Protocol):
    """`name` is how errors name it."""

    name: str

    def opened(self) -> AbstractContextManager[OpenedStore]:
        """Open it for one request; raises StoreUnreadable."""

    def replace(self, store: Element) -> bool:
        """Make an nmwg:store its content; whether that changed anything. Raises StoreUnreadable."""


def contents(root: Element) -> dict[str, StoredMetadata]:
    """The metadata of an nmwg:store by their ids, each with its data."""
    elements: dict[str, Element] = {}
    for one in root.iterchildren(METADATA):
        elements.setdefault(one.get("id", ""), one)
    data: dict[str, list[StoredData]] = {identifier: [] for identifier in elements}
    for one in root.iterchildren(DATA):
        named = one.get("metadataIdRef", "")
        if named in elements:
            data[named].append(stored_data(elements[named], one))
    return {
        identifier: StoredMetadata(identifier, element, tuple(data[identifier]))
        for identifier, element in elements.items()
    }


def keys_of(found: Mapping[str, StoredMetadata]) -> dict[str, StoredData]:
    """The key hash: data by their maKeys; of two with one key the first."""
    keys: dict[str, StoredData] = {}
    for metadata in found.values():
        for data in metadata.data:
            keys.setdefault(data.ma_key, data)
    return keys
