"""What the event system counts of itself, for /metrics."""

from __future__ import annotations

from prometheus_client import Counter

PUBLISHED = Counter(
    "aggregator_events_published",
    "Events that this process published, by outcome: taken, unheard (nobody listened), failed.",
    ("outcome",),
)
RECEIVED = Counter(
    "aggregator_events_received",
    "Messages that arrived, by outcome: handled, failed (the handler raised), unreadable.",
    ("outcome",),
)
RECONNECTED = Counter(
    "aggregator_events_reconnected",
    "Connections of subscribers to the broker that were lost and made anew.",
)
DROPPED = Counter(
    "aggregator_events_dropped",
    "Events that were dropped unread: a queue in memory or the event monitor was full, or they had"
    " left the store's log.",
    ("where",),
)
FIRED = Counter(
    "aggregator_events_tasks",
    "Turns of scheduled tasks, by outcome: published, failed, taken (by another process), missed.",
    ("outcome",),
)
