"""What the delivery of notifications measures of itself, for /metrics."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

SENT = Counter(
    "aggregator_notifications_sent",
    "Notifications that were sent to subscribers, by outcome: success, or the code of the error;"
    " what fails is sent again.",
    ("outcome",),
)
SUBSCRIPTIONS = Gauge(
    "aggregator_subscriptions",
    "Subscriptions to groups and entries that this collector serves.",
    multiprocess_mode="livesum",
)
