"""What the collector measures of itself, for /metrics.

With several processes, PROMETHEUS_MULTIPROC_DIR must be set before this module is imported: the
web workers then show what the collector counted.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

#: Seconds, from a reply of the same host to a probe at its limit.
_DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_LATENESS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_AGES = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 86400)

COLLECTIONS = Counter(
    "aggregator_collections",
    "Collections that ended, by source and outcome: success, or the code of the error.",
    ("source", "outcome"),
)
RECEIVED = Counter(
    "aggregator_messages_received",
    "Notifications that were taken from the inbox, by source and outcome: success, or the code of"
    " the error.",
    ("source", "outcome"),
)
DURATION = Histogram(
    "aggregator_collection_duration_seconds",
    "Time that one collection took, from its start until the data or the error was there.",
    ("source",),
    buckets=_DURATIONS,
)
OVERRUNS = Counter(
    "aggregator_collection_overruns",
    "Turns that were skipped because the entry's last collection had not ended.",
    ("source",),
)
LATENESS = Histogram(
    "aggregator_collection_lateness_seconds",
    "Time from the instant at which a collection was due to its start.",
    buckets=_LATENESS,
)
DATA_AGE = Histogram(
    "aggregator_data_age_seconds",
    "Age that the data of an entry had reached when new data took its place.",
    buckets=_AGES,
)
EXPIRY_LAG = Histogram(
    "aggregator_expiry_lag_seconds",
    "Time from the end of an entry's lifetime to the removal of its row, of the oldest removed"
    " together; readers saw it end at once.",
    buckets=_LATENESS,
)
EXPIRED = Counter("aggregator_expirations", "Entries removed because their lifetime had ended.")
DELIVERY_FAILURES = Counter(
    "aggregator_delivery_failures", "Deliveries that a sink could not take.", ("sink",)
)
CLOCK_SET = Counter(
    "aggregator_clock_set",
    "Times that the clock of the host, or of the database's server, was found to be set.",
)
SCHEDULED = Gauge(
    "aggregator_scheduled_entries",
    "Entries that this collector collects.",
    multiprocess_mode="livesum",
)
WAITING = Gauge(
    "aggregator_collections_waiting",
    "Collections that are due and wait for their turn.",
    multiprocess_mode="livesum",
)
RUNNING = Gauge(
    "aggregator_collections_running", "Collections under way.", multiprocess_mode="livesum"
)
SHARDS = Gauge(
    "aggregator_collector_shards",
    "Shards of the entries that this collector holds; the sum over all is the number configured.",
    multiprocess_mode="livesum",
)


_counters: dict[tuple[str, str], Counter] = {}
_durations: dict[str, Histogram] = {}


def announce(sources: Iterable[str]) -> None:
    """Show the counters of each source from the start: one that is 0 says that all is well."""
    for source in sources:
        OVERRUNS.labels(source)
        COLLECTIONS.labels(source, "success")


def collection(source: str, outcome: str, seconds: float) -> None:
    """Count a collection that ended. Children are kept: finding one costs more than counting."""
    counter = _counters.get((source, outcome))
    if counter is None:
        counter = _counters[source, outcome] = COLLECTIONS.labels(source, outcome)
    counter.inc()
    duration = _durations.get(source)
    if duration is None:
        duration = _durations[source] = DURATION.labels(source)
    duration.observe(seconds)
