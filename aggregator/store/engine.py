"""The store: where connections come from, in which state, and whose clock counts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, make_url
from sqlalchemy.exc import ArgumentError

from aggregator.errors import ConfigError, StoreUnavailable
from aggregator.store.anchor import anchored
from aggregator.store.clock import StoreClock
from aggregator.store.database import Database
from aggregator.store.postgresql import PostgresqlDatabase
from aggregator.store.sqlite import SqliteDatabase
from aggregator.store.trouble import DATABASE_ERRORS, is_lost, translated, unavailable
from aggregator.store.writer import Writer
from aggregator.waiting import waiting

log = logging.getLogger(__name__)
T = TypeVar("T")

FILE_NAME = "aggregator.sqlite"


class Store:
    """What one process has of the database. Open it after forking."""

    def __init__(self, database: Database, *, write_timeout: float) -> None:
        self.database = database
        self.is_sqlite = database.is_sqlite
        self.clock = StoreClock(follows_server=not database.is_sqlite)
        self.writer = Writer(database, self.clock, write_timeout=write_timeout)
        self._away = False
        self._trying = threading.Lock()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection on which each statement sees what was committed before it.

        Raises StoreUnavailable for every error of the database in the block; at once, where the
        database is known to be away and somebody else is trying it at this moment.
        """
        with waiting(), translated("reading from the store"), self._connected() as connection:
            try:
                if self.clock.is_due():
                    self.clock.correct(lambda: self.database.now(connection))
                yield connection
            except DATABASE_ERRORS as error:
                if is_lost(error):
                    connection.invalidate()
                    # What ended one connection most likely ended the idle ones too.
                    self.database.reading.dispose()
                raise

    def _connected(self) -> Connection:
        if not self._away:
            return self._connect()
        # Everybody who tries may wait for seconds; one is enough to find out.
        if not self._trying.acquire(blocking=False):
            raise StoreUnavailable("reading from the store: it is away")
        try:
            return self._connect()
        finally:
            self._trying.release()

    def _connect(self) -> Connection:
        try:
            connection = self.database.reading.connect()
        except DATABASE_ERRORS as error:
            self._away = is_lost(error)
            raise
        self._away = False
        return connection

    def measure_clock(self) -> None:
        """Measure how far this host's clock is from the database's."""
        with self.read() as connection:
            self.clock.correct(lambda: self.database.now(connection))

    def query(self, question: Callable[[Connection], T]) -> T:
        """The answer to `question`, asked again once when the connection turns out to be lost."""
        try:
            with self.read() as connection:
                return question(connection)
        except StoreUnavailable as error:
            if error.__cause__ is None or not is_lost(error.__cause__):
                raise
        with self.read() as connection:
            return question(connection)

    def take_time(self) -> None:
        """Let the clock be that of the embedded database, where that has been written down."""
        if not self.is_sqlite:
            return
        with self.database.reading.connect() as connection:
            try:
                found = anchored(connection)
            except DATABASE_ERRORS:
                return  # There are no tables yet.
        if found is not None:
            self.clock.anchor(found)

    def ping(self) -> None:
        """Raise StoreUnavailable unless the database answers."""
        self.query(lambda connection: connection.exec_driver_sql("SELECT 1").scalar())

    def close(self) -> None:
        """End the writer, after what was given to it, and close all connections."""
        self.writer.close()
        self.database.close()


def open_store(
    *, url: str, data_dir: Path, pool_size: int, busy_timeout: float, write_timeout: float
) -> Store:
    """Open the database at `url`; an empty one means a file in `data_dir`. Times in seconds.

    Raises ConfigError for an URL that is none of ours, StoreUnavailable where a file can't be
    opened. A server that is away is no error here: it may be back before it is needed.
    """
    database = open_database(
        url,
        data_dir=data_dir,
        pool_size=pool_size,
        busy_timeout=busy_timeout,
        write_timeout=write_timeout,
    )
    store = Store(database, write_timeout=write_timeout)
    if store.is_sqlite:
        store.take_time()
    else:
        try:
            store.ping()
        except StoreUnavailable as error:
            log.warning("The store can't be reached yet: %s", error)
    return store


def open_database(
    url: str, *, data_dir: Path, pool_size: int, busy_timeout: float, write_timeout: float
) -> Database:
    """The database that `url` names, see `open_store`."""
    times = {"busy_timeout": busy_timeout, "write_timeout": write_timeout}
    path = sqlite_path(url, data_dir=data_dir)
    if path is not None:
        try:
            return SqliteDatabase(path, pool_size=pool_size, **times)
        except (OSError, *DATABASE_ERRORS) as error:
            raise unavailable(error, doing=f"opening {path}") from error
    parsed = make_url(url)
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise ConfigError(
            f"{parsed.drivername!r} is no database that is spoken here; expected an URL such as"
            " postgresql+psycopg://user@host/name or sqlite:///path, or none for a file in"
            " server.data_dir",
            element="store.url",
        )
    return PostgresqlDatabase(
        parsed.set(drivername="postgresql+psycopg"), pool_size=pool_size, **times
    )


def sqlite_path(url: str, *, data_dir: Path) -> Path | None:
    """The file of the embedded database, None where `url` names a server."""
    if not url:
        return data_dir / FILE_NAME
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Without the cause, which may tell a part of the password.
        raise ConfigError(
            "expected an URL such as postgresql+psycopg://user@host/name or sqlite:///path",
            element="store.url",
        ) from None
    if parsed.get_backend_name() != "sqlite":
        return None
    if not parsed.database or parsed.database == ":memory:":
        raise ConfigError(
            "an SQLite database in memory can't be shared by processes; name a file, such as"
            " sqlite:////var/lib/aggregator/aggregator.sqlite",
            element="store.url",
        )
    return Path(parsed.database)
