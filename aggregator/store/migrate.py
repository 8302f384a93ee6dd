"""Bringing the tables of the core and of the sinks to what this version expects."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, cast

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, bindparam, inspect, select, text

from aggregator.errors import ConfigError
from aggregator.store.anchor import settle
from aggregator.store.database import MigratedDatabase
from aggregator.store.sink_tables import check_tables
from aggregator.store.statement import Statement
from aggregator.store.tables import sink_versions
from aggregator.store.trouble import translated
from aggregator.store.upsert import or_replace

if TYPE_CHECKING:
    from aggregator.store.engine import Store

log = logging.getLogger(__name__)

SINK_VERSION = Statement(
    select(sink_versions.c.version).where(sink_versions.c.sink == bindparam("of"))
)
STORE_VERSION = Statement(or_replace(sink_versions))


def migrate(store: Store) -> None:
    """Bring the tables to this version, and set the store's clock. Of several that start at once,
    one does it.

    Raises ConfigError for a store that a later version has written.
    """
    _migrate(store)
    store.take_time()


def _migrate(store: Store) -> None:
    with (
        translated("migrating the store"),
        store.database.writing.connect() as connection,
        _alone(store, connection),
    ):
        found = _found(connection)
        if found == _newest():
            settle(connection, embedded=store.is_sqlite)
            return
        if found is not None and found not in _known():
            raise ConfigError(
                f"the store is of version {found}, which this program does not know (it knows"
                f" {', '.join(sorted(_known()))}): start the newer program, or restore a backup",
                element="store.url",
            )
        config = _config()
        config.attributes["connection"] = connection
        logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)
        command.upgrade(config, "head")
        settle(connection, embedded=store.is_sqlite)
        log.info("Migrated the store from version %s to %s", found or "none", _newest())


def schema_is_current(store: Store) -> bool:
    """Whether the tables are those that this version expects."""
    return store.query(_found) == _newest()


def migrate_sink(store: Store, name: str, steps: tuple[tuple[str, ...], ...]) -> None:
    """Run those of a sink's steps that were not run yet, in order and all or none."""
    for statement in (statement for step in steps for statement in step):
        check_tables(statement, name)
    with (
        translated(f"migrating the tables of the sink {name}"),
        store.database.writing.connect() as connection,
        _alone(store, connection),
    ):
        row = SINK_VERSION.row(connection, of=name)
        done = row[0] if row else 0
        for step in steps[done:]:
            for statement in step:
                connection.execute(text(statement))
        if len(steps) > done:
            STORE_VERSION.run(connection, sink=name, version=len(steps))


def _alone(store: Store, connection: Connection) -> AbstractContextManager[None]:
    # What is migrated lies in databases that can be; streams are in others, too.
    return cast(MigratedDatabase, store.database).migrating(connection)


def _found(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").first()
    return None if row is None else str(row[0])


def _config() -> Config:
    config = Config()
    folder = str(files("aggregator.store.migrations"))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@cache
def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


@cache
def _newest() -> str | None:
    return _script().get_current_head()


@cache
def _known() -> frozenset[str]:
    return frozenset(revision.revision for revision in _script().walk_revisions())
