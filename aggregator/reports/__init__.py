"""Reports of nodes: the base classes of a site's aggregators and collectors (docs/reports.md).

``from aggregator.reports import Aggregator, Collector``. The protobuf messages, whose library the
extra ``reports`` installs, come by ``from aggregator.reports import messages``.
"""

from aggregator.reports.addons import Aggregator, Collector

__all__ = ["Aggregator", "Collector"]
