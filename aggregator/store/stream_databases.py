"""Where streams are kept: a file of SQLite, memory, PostgreSQL or MariaDB."""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from sqlalchemy import URL, Connection, create_engine
from sqlalchemy.pool import NullPool

from aggregator.errors import StreamRefused
from aggregator.store.database import Database
from aggregator.store.engine import Store
from aggregator.store.filelock import LockWait
from aggregator.store.foreign_urls import with_driver
from aggregator.store.postgresql import PostgresqlDatabase
from aggregator.store.sqlite import SqliteDatabase
from aggregator.store.stream_columns import shown
from aggregator.store.stream_memory import MemoryDatabase
from aggregator.store.trouble import DATABASE_ERRORS, unavailable

#: What names a database.
Place = str | os.PathLike[str] | URL

MEMORY = ":memory:"
#: What SQLAlchemy calls the servers that may be reached by a driver of one's choice.
_SPOKEN = ("postgresql", "mariadb", "mysql")
_EXPECTED = (
    "expected is the name of a file, :memory:, or an URL of SQLAlchemy such as"
    " postgresql+psycopg://user@host/name or mariadb+pymysql://user@host/name"
)


def open_stream_store(place: Place, *, timeout: float, pool_size: int = 4) -> Store:
    """Open the database that `place` names: a file, ``:memory:``, or an URL. `timeout` in seconds.

    Raises StreamRefused for an URL that can't be used, StoreUnavailable where a file can't be
    opened. A server that is away is no error here: it may be back before it is needed.
    """
    if not isinstance(place, str | os.PathLike | URL):
        raise StreamRefused(f"{shown(place)} names no database; {_EXPECTED}")
    if not isinstance(place, URL):
        place = os.fsdecode(place)
        if not place or "\0" in place:
            raise StreamRefused(f"{place!r} names no database; {_EXPECTED}")
    database = _database(place, timeout=timeout, pool_size=pool_size)
    return Store(database, write_timeout=timeout)


def _database(place: str | URL, *, timeout: float, pool_size: int) -> Database:
    times = {"busy_timeout": timeout, "write_timeout": timeout}
    if place == MEMORY:
        return MemoryDatabase(busy_timeout=timeout)
    if isinstance(place, str) and "://" not in place:
        return _file(place, pool_size=pool_size, **times)
    try:
        url = with_driver(place)
    except ValueError as missing:
        raise StreamRefused(
            f"the URL names no database that can be used{missing}; {_EXPECTED}"
        ) from None
    backend = url.get_backend_name()
    if backend == "sqlite" and url.get_driver_name() == "pysqlite":
        if url.database in (None, "", MEMORY):
            return MemoryDatabase(busy_timeout=timeout)
        return _file(str(url.database), pool_size=pool_size, **times)
    if backend == "postgresql" and url.drivername in ("postgresql", "postgresql+psycopg"):
        return _Postgresql(url.set(drivername="postgresql+psycopg"), pool_size=pool_size, **times)
    if backend not in _SPOKEN or url.get_dialect().is_async:
        raise StreamRefused(
            f"{url.drivername!r} is no database that streams are kept in; {_EXPECTED}"
        )
    # MariaDB speaks MySQL's language, and more: it compares texts to their last space.
    named = url.drivername.replace("mysql", "mariadb", 1) if backend == "mysql" else url.drivername
    return OtherDatabase(url.set(drivername=named), pool_size=pool_size)


def _file(path: str, *, pool_size: int, busy_timeout: float, write_timeout: float) -> Database:
    if path.startswith("file:"):
        raise StreamRefused(f"{path!r} is an URI of SQLite's own, which is not taken; {_EXPECTED}")
    try:
        return SqliteDatabase(
            Path(path).absolute(),
            pool_size=pool_size,
            busy_timeout=busy_timeout,
            write_timeout=write_timeout,
        )
    except (OSError, *DATABASE_ERRORS) as error:
        raise unavailable(error, doing=f"opening {path}") from error


class _Postgresql(PostgresqlDatabase):
    """A server whose clock is of no interest: instants of streams are their callers'."""

    def now(self, connection: Connection) -> tuple[int, int]:
        """What the host's clock shows."""
        return _host_time()


class OtherDatabase:
    """A server, or a driver, of which nothing is known but what SQLAlchemy says."""

    is_sqlite = False
    begin = "BEGIN"

    def __init__(self, url: URL, *, pool_size: int) -> None:
        self.reading = create_engine(
            url, isolation_level="AUTOCOMMIT", pool_size=pool_size, pool_pre_ping=True
        )
        self.writing = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        self.lock_wait = LockWait()

    def turn(self) -> AbstractContextManager[None]:
        """Let pass: servers have locks of their own."""
        return nullcontext()

    def mark(self) -> int | None:
        """None: others write too."""
        return None

    def is_in_transaction(self, connection: Connection) -> bool:
        """Always: to end one that is none is no error."""
        return True

    def now(self, connection: Connection) -> tuple[int, int]:
        """What the host's clock shows."""
        return _host_time()

    def close(self) -> None:
        """Close all idle connections."""
        self.reading.dispose()


def _host_time() -> tuple[int, int]:
    return time.time_ns() // 1000, 0


def takes_infinity(store: Store) -> bool:
    """Whether the database keeps infinite numbers."""
    return store.database.writing.dialect.name != "mariadb"
