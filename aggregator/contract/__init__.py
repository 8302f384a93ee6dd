"""What a source and a sink are: the contracts that shipped and foreign plug-ins fulfil alike.

A plug-in is one module that ends with a value, ``PLUGIN = SourceType(...)`` or
``PLUGIN = SinkType(...)``. It keeps nothing between calls: what it must remember travels in the
Plan, in ``Collected.remember`` or in the sink's own tables. Raising ConfigError refuses the Add,
CollectError fails this tick alone; anything else is a bug of the plug-in, logged with its
traceback, and nobody else suffers from it.
"""

from __future__ import annotations

from aggregator.contract.shared import (
    Collected,
    Group,
)
from aggregator.contract.sinks import (
    AggregatorSink,
    Archive,
    Delivery,
    Measurements,
    SinkContext,
    SinkTables,
    SinkType,
    Triggers,
)
from aggregator.contract.sources import (
    AggregatorSource,
    ConfigBlock,
    Consumers,
    Context,
    Events,
    Http,
    HttpReply,
    Login,
    Put,
    RunProbe,
    SourceType,
)

__all__ = [
    "AggregatorSink",
    "AggregatorSource",
    "Archive",
    "Collected",
    "ConfigBlock",
    "Consumers",
    "Context",
    "Delivery",
    "Events",
    "Group",
    "Http",
    "HttpReply",
    "Login",
    "Measurements",
    "Put",
    "RunProbe",
    "SinkContext",
    "SinkTables",
    "SinkType",
    "SourceType",
    "Triggers",
]
