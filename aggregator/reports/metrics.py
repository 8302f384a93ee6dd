"""What is measured of reports, for /metrics."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

RECEIVED = Counter(
    "aggregator_reports_received",
    "Reports that came from nodes, by outcome: taken, duplicate; or refused as wrong (a name, an"
    " id, a broken body), size, rate, full (too many wait), nodes (too many report).",
    ("outcome",),
)
OVERRUN = Counter(
    "aggregator_reports_overrun",
    "Reports that were taken, but not for a registration that is too far behind.",
)
DENIED = Counter(
    "aggregator_reports_denied",
    "Requests about reports that were refused for want of a secret, or of the right to them.",
)
PROCESSED = Counter(
    "aggregator_reports_processed",
    "Calls with a report, by aggregator and outcome: done, or failed, hung, died, arguments.",
    ("aggregator", "outcome"),
)
UNCLAIMED = Counter("aggregator_reports_unclaimed", "Reports that no aggregator takes.")
DEAD = Counter("aggregator_reports_dead", "Reports that were put aside, since they failed often.")
WAITING = Gauge(
    "aggregator_reports_under_way",
    "Reports that were handed to aggregators and are not recorded as processed.",
    multiprocess_mode="livesum",
)
INBOX = Gauge(
    "aggregator_reports_waiting",
    "Reports that wait to be processed, as of some seconds ago.",
    multiprocess_mode="livesum",
)
ASIDE = Gauge(
    "aggregator_reports_put_aside",
    "Dead reports that are kept, as of some seconds ago.",
    multiprocess_mode="livesum",
)
STARTED = Counter(
    "aggregator_report_aggregators_started",
    "Starts of an aggregator's process; more than one without a takeover tells of a crash.",
    ("aggregator",),
)
REQUESTS = Counter(
    "aggregator_report_requests",
    "REQUESTs of clients, by outcome: answered, none, or failed, hung, died, large, arguments,"
    " unknown, pending (too many wait), late.",
    ("outcome",),
)
UPDATES = Counter(
    "aggregator_report_updates", "Updates that were pushed, by aggregator.", ("aggregator",)
)
WATCHERS = Gauge(
    "aggregator_report_watchers", "Clients that watch updates.", multiprocess_mode="livesum"
)
