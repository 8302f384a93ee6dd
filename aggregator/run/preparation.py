"""What must hold before the roles start: the whole configuration, and the database's schema."""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Iterator

from aggregator.archive.series import wrong_series
from aggregator.collect.probe_settings import not_to_be_run
from aggregator.config import Clash, ConfigurationError, Settings
from aggregator.errors import AggregatorException, ConfigError, ModuleRefused
from aggregator.measurement.checking import wrong_measurement
from aggregator.registry.offered import not_offered
from aggregator.registry.opening import store_of
from aggregator.registry.plugins import find_plugins
from aggregator.reports.modules import modules_of
from aggregator.run.context import WRONG_CONFIGURATION, RunContext
from aggregator.store.archive_partitions import make_partitions
from aggregator.store.migrate import migrate, migrate_sink
from aggregator.store.processes import end_process, heartbeat

log = logging.getLogger(__name__)


def amiss(settings: Settings) -> Iterator[Clash]:
    """What the settings alone can't know: plug-ins, the groups' use of them, the probes."""
    try:
        plugins = find_plugins()
    except ConfigError as error:
        yield Clash((), str(error))
    else:
        yield from not_offered(settings, plugins)
    yield from not_to_be_run(settings)
    yield from wrong_series(settings)
    yield from wrong_measurement(settings)
    try:
        modules_of(settings.reports)
    except ModuleRefused as error:
        yield Clash((("reports", "modules"), ("reports", "folders")), error.message)


def migrate_all(settings: Settings) -> None:
    """Migrate the core's tables, make those of the coming days, and migrate those of each sink."""
    settings.server.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = store_of(settings)
    try:
        migrate(store)
        store.writer.run(make_partitions)
        for name, sink in find_plugins().sinks.items():
            if sink.migrations:
                migrate_sink(store, name, sink.migrations)
    finally:
        store.close()


def check_store(settings: Settings) -> None:
    """Raise StoreUnavailable where the store takes no writes at this moment.

    Web workers that start then would wait for it, and those whose place they take still answer
    from their views.
    """
    store = store_of(settings)
    name = f"check:{uuid.uuid4().hex}"
    try:
        store.writer.run(lambda write: heartbeat(write, name, "check"))
        store.writer.run(lambda write: end_process(write, name))
    finally:
        store.close()


def run(context: RunContext, *, reloading: bool) -> int:
    """Check and migrate as a process of its own; returns the exit status.

    Before a reload too: a sink may have been installed since the start. What is wrong with the
    configuration goes to the log then.
    """
    try:
        settings = context.settings(further=amiss)
        if reloading:
            check_store(settings)
        migrate_all(settings)
    except ConfigurationError as error:
        if reloading:
            log.error("SIGHUP changed nothing, the configuration is wrong: %s", error)
            return WRONG_CONFIGURATION
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return WRONG_CONFIGURATION
    except AggregatorException as error:
        log.error("the database can't be prepared: %s", error)
        return 1
    return 0
