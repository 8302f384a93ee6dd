"""What is counted of archives."""

from __future__ import annotations

from prometheus_client import Counter

KEPT = Counter(
    "aggregator_archive_deliveries", "Deliveries that were handed to archives.", ["group"]
)
EXTRACTION_FAILURES = Counter(
    "aggregator_archive_extraction_failures",
    "Deliveries of which no numbers could be taken in time.",
    ["group"],
)
DROPPED = Counter(
    "aggregator_archive_dropped", "Documents that archives kept for long enough.", ["group"]
)
