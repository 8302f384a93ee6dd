"""The tests of all databases, of which some may be away."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from aggregator.errors import MeasurementsUnavailable, NothingMeasured
from aggregator.measurement.building import FromDatabase
from aggregator.measurement.metadata_store import MetadataStore, StoreUnreadable
from aggregator.measurement.stored import measured_test
from aggregator.store.measured_values import MeasuredDatabase, MeasuredTest

log = logging.getLogger(__name__)

#: The types that stored keys have: what the original wrote, and other databases.
MYSQL, SQL = "mysql", "sql"
DBI = "DBI:mysql:"
"""How the names of databases begin that the original could read."""


class FoundTests:
    """What is measured, by all databases; of one that is away, what it had when it was there.

    `away` are the names of those that were, when this was asked last.
    """

    def __init__(self, databases: Mapping[str, MeasuredDatabase], store: MetadataStore) -> None:
        self._databases = databases
        self._store = store
        self._known: dict[str, list[MeasuredTest]] = {}
        self.away: set[str] = set()

    def __call__(self) -> Iterator[FromDatabase]:
        """Each test, in the order of the databases."""
        self.away.clear()
        for name, database in self._databases.items():
            type = MYSQL if name.startswith(DBI) else SQL
            for test in self._tests(name, database):
                yield FromDatabase(test, type, name)

    def _tests(self, name: str, database: MeasuredDatabase) -> list[MeasuredTest]:
        try:
            self._known[name] = list(_told(database.tests(), name))
        except NothingMeasured as nothing:
            log.info("%s: %s", name, nothing)
            self._known[name] = []
        except MeasurementsUnavailable as error:
            log.error("the metadata of %s stay as they were: %s", name, error)
            self._keep(name)
        except Exception:
            # What somebody else wrote into one database must not end the metadata of all others.
            log.exception("bug in reading %s, whose metadata stay as they were", name)
            self._keep(name)
        return self._known[name]

    def _keep(self, name: str) -> None:
        self.away.add(name)
        if name not in self._known:
            self._known[name] = self._stored(name)

    def _stored(self, name: str) -> list[MeasuredTest]:
        """What the store has of a database that was not there since the start."""
        try:
            with self._store.opened() as store:
                found = [
                    measured_test(metadata, data)
                    for metadata in store.all()
                    for data in metadata.data
                    if data.one("db") == name
                ]
        except StoreUnreadable:
            return []
        # Delays are stored twice.
        return list(dict.fromkeys(found))


def _told(tests: Iterable[MeasuredTest], name: str) -> Iterator[MeasuredTest]:
    """Those that XML has characters for: others' databases may hold anything."""
    for test in tests:
        texts = (test.source, test.destination, *chain.from_iterable(test.parameters))
        if all(map(str.isprintable, texts)):
            yield test
        else:
            ends = f"{test.source!a} to {test.destination!a}"
            log.warning("%s: the test from %s is left out: it has control characters", name, ends)
