"""The measurement archive that the settings describe, with its databases opened."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from aggregator.archive.history import History
from aggregator.config import Settings
from aggregator.config.measured_databases import MeasuredDatabaseSettings
from aggregator.config.measurement import MeasurementSettings
from aggregator.config.secrets import read_secret
from aggregator.errors import ConfigError
from aggregator.measurement.answering import Endpoint
from aggregator.measurement.basex import BasexServer
from aggregator.measurement.echo import Echo
from aggregator.measurement.file_store import FileStore
from aggregator.measurement.finding import DBI, MYSQL, SQL, FoundTests
from aggregator.measurement.handling import RequestHandler
from aggregator.measurement.metadata_store import MetadataStore
from aggregator.measurement.origins import Databases, Origin
from aggregator.measurement.owmesh import databases_of, read_owmesh
from aggregator.measurement.perfsonarbuoy import perfSONARBUOY
from aggregator.measurement.rrd_origin import RrdOrigin
from aggregator.measurement.series_origin import SeriesOrigin
from aggregator.measurement.static_store import StaticStore
from aggregator.measurement.xmldb_store import XmldbStore
from aggregator.store.engine import Store
from aggregator.store.measured_opening import open_measured
from aggregator.store.measured_own import OwnMeasurements
from aggregator.store.measured_values import MeasuredDatabase
from aggregator.wire.parse import Limits

log = logging.getLogger(__name__)

STORE_FILE = "store.xml"
#: Seconds for an XML database to be written: that of 20,000 pairs took 20 on a crowded machine.
_WRITING = 300.0


@dataclass(frozen=True, slots=True)
class Opened:
    """A measurement archive, and the databases that it reads."""

    archive: perfSONARBUOY
    databases: Mapping[str, MeasuredDatabase]
    own: OwnMeasurements | None
    tests: FoundTests

    def close(self) -> None:
        """Close the databases."""
        for one in self.databases.values():
            one.close()


def open_archive(settings: Settings, store: Store, *, building: bool = False) -> Opened:
    """The archive of these settings; `store` holds its own tables.

    With `building` an XML database has time to be written. Raises ConfigError for a database that
    can't be, ValueError for a password file and MeasurementsRefused for an owmesh.conf that can't
    be read any more.
    """
    given = settings.measurement
    databases = databases_of_settings(given, pool_size=given.max_worker_processes)
    own = OwnMeasurements(store)
    if given.own_tables:
        databases[own.name] = own
    origin = Databases(databases)
    origins: dict[str, Origin] = {
        MYSQL: origin,
        SQL: origin,
        "series": SeriesOrigin(History(store)),
    }
    if given.rrd_folder:
        origins["rrd"] = RrdOrigin(Path(given.rrd_folder))
    static = StaticStore(Path(given.static_store), origins) if given.static_store else tuple
    store_of_metadata = metadata_store(settings, building=building)
    tests = FoundTests(databases, store_of_metadata)
    archive = perfSONARBUOY(
        store_of_metadata,
        origins,
        tests=tests,
        static=static,
        registers=given.enable_registration,
        keep=own.keep if given.storage else None,
        default_resolution=given.default_resolution,
    )
    return Opened(archive, databases, own if given.own_tables else None, tests)


def metadata_store(settings: Settings, *, building: bool = False) -> MetadataStore:
    """Where the metadata lie; raises ValueError for a password file that can't be read any more."""
    given = settings.measurement
    if given.metadata_db_type == "xmldb":
        server = BasexServer(
            given.metadata_db_host,
            given.metadata_db_port,
            given.metadata_db_user,
            read_secret(given.metadata_db_password_file),
            timeout=max(_WRITING, given.metadata_db_timeout)
            if building
            else given.metadata_db_timeout,
        )
        return XmldbStore(server, given.metadata_db_name)
    named = given.metadata_db_file
    return FileStore(Path(named) if named else settings.server.data_dir / STORE_FILE)


def endpoint_of(settings: Settings, archive: perfSONARBUOY) -> Endpoint:
    """All services of the endpoint."""
    given, server = settings.measurement, settings.server
    handler = RequestHandler()
    archive.init(handler)
    if not given.disable_echo:
        Echo().init(handler)
    return Endpoint(
        handler,
        Limits(server.max_body, server.max_depth, server.max_nodes),
        given.max_worker_lifetime,
        given.max_answer,
    )


def databases_of_settings(
    given: MeasurementSettings, *, pool_size: int
) -> dict[str, MeasuredDatabase]:
    """Databases by the names that the metadata store has for them; none is connected to yet.

    Raises as `open_archive` does.
    """
    found: dict[str, MeasuredDatabase] = {}
    for one in (*given.databases, *_of_owmesh(given)):
        url = _with_password(one.url, one.password_file) if one.password_file else one.url
        database = open_measured(url, layout=one.layout, pool_size=pool_size)
        # What the original read was named by database and host alone.
        is_named = database.name.startswith(DBI)
        name = database.name if is_named else f"{database.name}#{one.layout}"
        if name in found:
            raise ConfigError(f"measurement.databases has {name} twice; read it once")
        found[name] = database
    return found


def _with_password(url: str, password_file: str) -> str:
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    password = quote(read_secret(password_file), safe="")
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:{password}@{place}"))


def _of_owmesh(given: MeasurementSettings) -> Iterator[MeasuredDatabaseSettings]:
    if not given.owmesh:
        return
    for one in databases_of(read_owmesh(Path(given.owmesh))):
        yield MeasuredDatabaseSettings(one.url, one.layout)
