"""What the event bus measures of itself, for /metrics."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

WAITING = Gauge(
    "aggregator_events_waiting",
    "Changes of groups that the event bus has still to publish.",
    multiprocess_mode="livesum",
)
DROPPED = Counter(
    "aggregator_events_lost",
    "Events of the service that were not published: their broker was away for too long, or they"
    " could not be written.",
)
