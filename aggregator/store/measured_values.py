"""What was measured between two addresses: the values that databases of measurements hand over.

Instants are NTP's 64 bits (RFC 5905, section 6): seconds since 1900 in the upper half, fractions of
a second in the lower.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, Protocol

Kind = Literal["bwctl", "owamp"]
"""Throughput by iperf under BWCTL, or one-way delay by OWAMP."""


class MeasuredTest(NamedTuple):
    """What is measured again and again between two addresses, under the same settings.

    `parameters` are those of the settings that are told, as texts, in the order in which they are
    told; a setting that is zero or empty is none. `numbers` are the ids of all test specifications
    with these settings in the database, in order.
    """

    kind: Kind
    source: str
    destination: str
    parameters: tuple[tuple[str, str], ...]
    numbers: tuple[int, ...]


class Within(NamedTuple):
    """A time range in NTP's 64 bits; None is no bound. `includes_*`: a value on it belongs to it.

    A span of time is within the range where the two overlap.
    """

    start: int | None = None
    end: int | None = None
    includes_start: bool = False
    includes_end: bool = False


class Throughput(NamedTuple):
    """One measurement of throughput: bits a second; jitter in ms, lost and sent packets of UDP."""

    timestamp: int
    throughput: float | None
    jitter: float | None = None
    lost: int | None = None
    sent: int | None = None


class Delay(NamedTuple):
    """A sample of one-way delays, in seconds; `buckets` are (index, count), where asked for."""

    start: int
    end: int
    min_delay: float | None
    max_delay: float | None
    min_ttl: int | None
    max_ttl: int | None
    sent: int | None
    lost: int | None
    duplicates: int | None
    max_error: float | None
    buckets: tuple[tuple[int, int], ...] = ()


class MeasuredDatabase(Protocol):
    """A database of measurements that is read in place.

    Every method raises MeasurementsUnavailable where the database can't be reached or takes longer
    than `timeout` seconds.
    """

    name: str
    """What names it in the metadata store, without credentials."""

    def tests(self) -> Iterator[MeasuredTest]:
        """All that is measured, in the order of its source, destination and settings."""

    def throughput(
        self, test: MeasuredTest, within: Within, *, timeout: float
    ) -> Iterator[Throughput]:
        """Measurements of a test of kind bwctl in the order of their times."""

    def delays(
        self, test: MeasuredTest, within: Within, *, buckets: bool, timeout: float
    ) -> Iterator[Delay]:
        """Samples of a test of kind owamp in the order of their beginnings."""

    def close(self) -> None:
        """Close all connections."""
