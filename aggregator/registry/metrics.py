"""What every process that writes measures of the store."""

from __future__ import annotations

from prometheus_client import Histogram

LOCK_WAIT = Histogram(
    "aggregator_store_lock_wait_seconds",
    "Time that a commit waited for the embedded database's file lock.",
    buckets=(0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
