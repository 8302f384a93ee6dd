"""What is wrong with the settings of the measurement archive by what they name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aggregator.config import Clash, Settings
from aggregator.errors import ConfigError, MeasurementsRefused
from aggregator.measurement.finding import MYSQL, SQL
from aggregator.measurement.opening import databases_of_settings
from aggregator.measurement.static_store import StaticStore


def wrong_measurement(settings: Settings) -> Iterator[Clash]:
    """Databases that can't be meant, and a static store that can't be used; nothing is opened."""
    given = settings.measurement
    if given.metadata_db_type == "none":
        return
    try:
        for one in databases_of_settings(given, pool_size=1).values():
            one.close()
    except (ConfigError, MeasurementsRefused, ValueError) as error:
        yield Clash((("measurement", "databases"), ("measurement", "owmesh")), str(error))
    if given.static_store:
        types = [MYSQL, SQL, "series", *(["rrd"] if given.rrd_folder else [])]
        for problem in StaticStore(Path(given.static_store), types).problems():
            yield Clash((("measurement", "static_store"),), problem)
