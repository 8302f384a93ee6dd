"""Where measurements come from: an origin of each type that a stored key may name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from aggregator.errors import NmwgError
from aggregator.measurement import datum
from aggregator.measurement.selecting import TimeSettings
from aggregator.measurement.stored import StoredData, StoredMetadata, measured_test
from aggregator.store.measured_values import MeasuredDatabase
from aggregator.wire.nmwg_names import BUCKETS_EVENT


class NoData(Exception):
    """Raised where there is nothing to tell: its text is told in a datum, and is no error."""


class Asked(NamedTuple):
    """How measurements are asked for; `time_type` is unix or iso, `timeout` in seconds.

    `default_resolution` is for who says none, in seconds; 0 is as fine as there is.
    """

    times: TimeSettings
    time_type: str
    timeout: float
    default_resolution: int = 0


class Origin(Protocol):
    """Measurements of one type of storage."""

    def data(self, metadata: StoredMetadata, data: StoredData, asked: Asked) -> Iterable[bytes]:
        """The data elements' content, written; raises NoData, MeasurementError and NmwgError."""


class Databases:
    """Databases of measurements, by the names that the metadata store has for them."""

    def __init__(self, databases: Mapping[str, MeasuredDatabase]) -> None:
        self._databases = databases

    def data(self, metadata: StoredMetadata, data: StoredData, asked: Asked) -> Iterable[bytes]:
        """Throughput or delays, by what the metadata says was measured."""
        kind = metadata.kind
        if kind is None:
            raise NoData("Improper eventType found.")
        if not data.one("db"):
            raise NmwgError("error.ma.storage", "Unable to open associated database")
        database = self._databases.get(data.one("db"))
        if database is None:
            raise NoData("Database error, could not complete request.")
        test = measured_test(metadata, data)
        within, timeout = asked.times.within, asked.timeout
        if kind == "bwctl":
            found = database.throughput(test, within, timeout=timeout)
            return datum.throughputs(found, time_type=asked.time_type)
        buckets = BUCKETS_EVENT in metadata.event_types
        rows = database.delays(test, within, buckets=buckets, timeout=timeout)
        return datum.delays(rows, time_type=asked.time_type, buckets=buckets)
