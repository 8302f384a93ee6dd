"""The web side's metrics, and the exposition of those of all processes of the host."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from aggregator.errors import (
    AggregatorException,
    QueryFailed,
    RequestTooLarge,
    StoreUnavailable,
)
from aggregator.server.metric_files import add_up_ended, unchanged
from aggregator.server.request import Request
from aggregator.server.site import Site

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REQUESTS = Histogram(
    "aggregator_request_seconds",
    "Time from the first byte read of a request to the reply being ready, by operation, dialect "
    "and HTTP status.",
    ("operation", "dialect", "status"),
    buckets=_BUCKETS,
)
REFUSED = Counter(
    "aggregator_requests_refused", "Requests that could not be read or dispatched.", ("fault",)
)
ADDS = Counter("aggregator_adds", "Adds by group and outcome.", ("group", "outcome"))
RENEWALS = Counter(
    "aggregator_renewals", "SetTerminationTime calls by group and outcome.", ("group", "outcome")
)
PULLED = Counter("aggregator_pulled", "Messages that were given to who came for them.")
NOTIFICATIONS = Counter(
    "aggregator_notifications_received",
    "Notifications that came to addresses of our subscriptions, by outcome: taken; or refused as "
    "unknown (no such subscription), producer (not the member's host), full (too many wait), "
    "large, unreadable.",
    ("outcome",),
)
ENDED = Counter(
    "aggregator_connections_ended",
    "Connections that were ended because of a limit: a time (handshake, header, body, reply), or "
    "the room (crowded, request memory, reply memory).",
    ("limit",),
)
QUERIES = Counter(
    "aggregator_queries_ended",
    "XPath queries that were ended because of a limit: time, turn (none came in time), waiting "
    "(too many), long (too many that take long), memory, result (its size).",
    ("limit",),
)
ANSWERED = Counter(
    "aggregator_queries_answered",
    "XPath queries that were answered, by what: table (kept of a form that comes again and again), "
    "evaluator.",
    ("by",),
)
UNAVAILABLE = Counter(
    "aggregator_store_unavailable",
    "Requests that were answered with a fault because the database, or the evaluator, was away.",
)


def observe_failure(error: AggregatorException) -> None:
    """Count a fault whose reason is a limit or a trouble of ours."""
    if isinstance(error, QueryFailed):
        QUERIES.labels(error.limit or "other").inc()
    elif isinstance(error, StoreUnavailable):
        UNAVAILABLE.inc()


def observe_query(by: str) -> None:
    """Count an XPath query that was answered."""
    ANSWERED.labels(by).inc()


def observe_end(limit: str) -> None:
    """Count a connection that was ended because of a limit."""
    ENDED.labels(limit).inc()


def observe_request(request: Request, status: str, seconds: float) -> None:
    """Count an answered request, and Adds and renewals by their outcome."""
    code = status[:3]
    name, group = request.operation.name, request.target.group
    REQUESTS.labels(name, request.dialect.name, code).observe(seconds)
    outcome = "accepted" if code == "200" else "refused"
    if name == "Add":
        ADDS.labels(group, outcome).inc()
    elif name == "SetTerminationTime":
        RENEWALS.labels(group, outcome).inc()


def observe_refusal(fault: str, seconds: float) -> None:
    """Count a request that was refused before it was dispatched."""
    REFUSED.labels(fault).inc()
    REQUESTS.labels("none", "none", "refused").observe(seconds)


def exposition(site: Site) -> tuple[str, bytes]:
    """Content type and text of ``/metrics``: this host's processes, and the store's registrations.

    Where the store is away its gauges are left out; the rest is told all the same.
    """
    registry = CollectorRegistry()
    folder = os.environ["PROMETHEUS_MULTIPROC_DIR"]
    MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    registry.register(_Registrations(site))
    # Who ended may have lain as a zombie when its parent's end was noticed; now it is gone.
    add_up_ended(Path(folder))
    with unchanged(Path(folder)):
        return CONTENT_TYPE_LATEST, generate_latest(registry)


class _Registrations(Collector):
    """Counts when it is asked; a Gauge would leave its number in the share of this process."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The gauge, or nothing while the store is away."""
        gauge = GaugeMetricFamily(
            "aggregator_registrations", "Registrations that are alive.", labels=("group",)
        )
        now = self._site.registry.store.clock.now()
        try:
            for name in self._site.registry.groups:
                gauge.add_metric((name,), self._site.views.current(name).count(now=now))
        except StoreUnavailable:
            return ()
        return (gauge,)


def observe_unread_notification(error: Exception) -> None:
    """Count a notification that is too large, or that can't be read."""
    NOTIFICATIONS.labels("large" if isinstance(error, RequestTooLarge) else "unreadable").inc()
