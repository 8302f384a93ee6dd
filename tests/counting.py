"""What a service counts at /metrics."""

from __future__ import annotations

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from tests.service import RunningService


def counted(service: RunningService, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels; 0 where there is none."""
    with urllib.request.urlopen(f"{service.url}/metrics", timeout=10) as answer:
        return sum_of(answer.read().decode(), name, **labels)


def sum_of(text: str, name: str, **labels: str) -> float:
    """The same of what /metrics answered."""
    families = text_string_to_metric_families(text)
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )
