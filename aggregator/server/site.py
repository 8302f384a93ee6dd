"""What a web worker works with: the registry, the views, the way to the query evaluator."""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.archive.querying import ArchiveReader
from aggregator.config import Settings
from aggregator.registry.registry import Registry
from aggregator.server.counts import Counts
from aggregator.server.pull_waits import PullWaits
from aggregator.view.query_client import QueryClient
from aggregator.view.tables.tables import Tables
from aggregator.view.views import Views


@dataclass(frozen=True, slots=True)
class Site:
    """One web worker's surroundings; `public_url` has no slash at its end."""

    settings: Settings
    registry: Registry
    views: Views
    queries: QueryClient
    tables: Tables
    counts: Counts
    public_url: str
    pulls: PullWaits
    archive: ArchiveReader
