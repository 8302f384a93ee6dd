"""Existing databases of perfSONAR, opened to be read in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aggregator.errors import ConfigError
from aggregator.store.measured_ami import AmiDatabase
from aggregator.store.measured_buoy import BuoyDatabase
from aggregator.store.measured_connections import Connections
from aggregator.store.measured_layouts import DELAYS, THROUGHPUT, Layout
from aggregator.store.measured_values import MeasuredDatabase

_TABLES = {"bwctl": THROUGHPUT, "owamp": DELAYS}


def open_measured(
    url: str,
    *,
    layout: Layout,
    pool_size: int = 4,
    parameters: Mapping[str, Sequence[tuple[str, str]]] | None = None,
) -> MeasuredDatabase:
    """Open the database at `url`, of which nothing is asked before it is read.

    `layout` is bwctl (sets of tables by month), owamp (by day) or ami (a table for each pair of
    nodes). `parameters` are the settings of the tests of each mesh of the AMI, by its name; nothing
    in that database tells them. Raises ConfigError for an URL that can't be used.
    """
    if layout not in (*_TABLES, "ami"):
        raise ConfigError(f"{layout!r} is no layout; expected is bwctl, owamp or ami")
    connections = Connections(url, pool_size=pool_size)
    if layout == "ami":
        return AmiDatabase(connections, parameters or {})
    return BuoyDatabase(connections, _TABLES[layout])
