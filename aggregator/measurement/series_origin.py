"""Measurements that are numeric series of an archive, which a sink took out of deliveries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from aggregator.archive.history import GroupUnknown, Timed, Wanted
from aggregator.errors import MeasurementsTooSlow, MeasurementsUnavailable, StoreUnavailable
from aggregator.measurement.numbers import function_for, resolution_for, told
from aggregator.measurement.origins import Asked
from aggregator.measurement.stored import StoredData, StoredMetadata
from aggregator.store.archive_series_reading import Bucket
from aggregator.store.measured_values import Within
from aggregator.wire.nmwg_times import UNIX_EPOCH
from aggregator.wire.times import SECOND, exact_time, to_micros

#: What the store's instants may be.
_LATEST = 2**62
_EPOCH = UNIX_EPOCH << 32
_OF: dict[str, Callable[[Bucket], float]] = {
    "AVERAGE": lambda bucket: bucket.total / bucket.count,
    "MIN": lambda bucket: bucket.least,
    "MAX": lambda bucket: bucket.most,
    "LAST": lambda bucket: bucket.last,
}


class SeriesReader(Protocol):
    """Where numbers are read from: aggregator.archive.history.History."""

    def numbers(self, wanted: Wanted, *, width: int = 0) -> Iterator[Timed]:
        """Buckets of so many microseconds in order, or without a width each number by itself."""


class SeriesOrigin:
    """A stored key names `group` and `series`, and of whom: `entry`, or the member's `address`."""

    def __init__(self, reader: SeriesReader) -> None:
        self._reader = reader

    def data(self, metadata: StoredMetadata, data: StoredData, asked: Asked) -> Iterable[bytes]:
        """The numbers of a series, consolidated as it is asked for."""
        deadline = time.monotonic() + asked.timeout
        function, width = function_for(data, asked), resolution_for(data, asked) * SECOND
        # The store's time is not set when clocks are; what is asked for and told is time of day.
        ahead = to_micros(exact_time(0))
        since, until = _micros(asked.times.within, ahead)
        wanted = Wanted(
            data.one("group"),
            data.one("series"),
            since,
            until,
            member=data.one("address"),
            entry=data.one("entry"),
        )
        if not wanted.member and not wanted.entry:
            raise MeasurementsUnavailable(f"{data.id} names neither an entry nor an address")
        of = _OF[function]
        found = ((_instant(at + ahead), of(one)) for at, one in self._read(wanted, width, deadline))
        return told(found, metadata, data, asked)

    def _read(self, wanted: Wanted, width: int, deadline: float) -> Iterator[Timed]:
        try:
            for one in self._reader.numbers(wanted, width=width):
                if time.monotonic() > deadline:
                    raise MeasurementsTooSlow("reading a series took too long")
                yield one
        except GroupUnknown as error:
            raise MeasurementsUnavailable(f"no group is named {wanted.group!r}") from error
        except StoreUnavailable as error:
            raise MeasurementsUnavailable(str(error)) from error


def _instant(micros: int) -> int:
    return ((micros << 32) // SECOND) + _EPOCH


def _micros(within: Within, ahead: int) -> tuple[int, int]:
    """The first microsecond of a range, and the first one after it."""
    since, until = 0, _LATEST
    if within.start is not None:
        since = _from(within.start + (not within.includes_start)) - ahead
    if within.end is not None:
        until = _from(within.end + within.includes_end) - ahead
    return min(max(since, 0), _LATEST), min(max(until, 0), _LATEST)


def _from(instant: int) -> int:
    """The first microsecond that is told as this instant, or as a later one."""
    return -((_EPOCH - instant) * SECOND >> 32)
