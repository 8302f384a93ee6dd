"""What a service counted of its collections, read from its /metrics."""

from __future__ import annotations

import math
import urllib.request
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

#: Samples by name and labels.
Counts = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def counts_of(url: str) -> Counts:
    """All samples of the service at `url`."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def since(before: Counts, after: Counts) -> Counts:
    """By how much each sample grew."""
    return {key: value - before.get(key, 0.0) for key, value in after.items()}


def total(counts: Counts, name: str, **labels: str) -> float:
    """The sum of the samples of a name that have all these labels."""
    return sum(
        value
        for (found, has), value in counts.items()
        if found == name and has >= set(labels.items())
    )


def at_most(counts: Counts, histogram: str, share: float) -> float:
    """What a share of a histogram's observations did not exceed: the edge of a bucket."""
    edges: dict[float, float] = {}
    for (name, labels), value in counts.items():
        if name == f"{histogram}_bucket":
            edge = float(dict(labels)["le"])
            edges[edge] = edges.get(edge, 0.0) + value
    wanted = share * edges.get(math.inf, 0.0)
    return min((edge for edge, count in edges.items() if count >= wanted), default=math.inf)
