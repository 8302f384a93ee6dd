"""What is measured of the measurement archive, for /metrics."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

ANSWERED = Counter(
    "aggregator_measurement_messages",
    "Messages to the measurement archive, by type (other for unknown ones) and outcome: answered;"
    " or refused as a whole, timeout, full (too many wait), bug.",
    ("type", "outcome"),
)
SECONDS = Histogram(
    "aggregator_measurement_seconds",
    "Seconds that the answer to a message took, waiting included.",
    buckets=(0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60),
)
BUILT = Counter(
    "aggregator_measurement_builds",
    "Builds of the metadata store, by outcome: new, same, failed.",
    ("outcome",),
)

#: Types that have a count of their own.
TYPES = frozenset(
    {"MetadataKeyRequest", "SetupDataRequest", "MetadataStorageRequest", "EchoRequest"}
)


def observe(type: str, outcome: str, seconds: float) -> None:
    """Count a message."""
    ANSWERED.labels(type if type in TYPES else "other", outcome).inc()
    SECONDS.observe(seconds)
