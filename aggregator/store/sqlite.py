"""The embedded database: SQLite with a write-ahead log, durable at every commit."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from aggregator.store.filelock import FileLock, LockWait
from aggregator.store.turn_mark import TurnMark

# In KiB, as the negative number says. Readers are many and answer from memory most of the time.
_WRITER_CACHE = -65536
_READER_CACHE = -8192


class SqliteDatabase:
    """One file; its writers take turns by a file lock beside it."""

    is_sqlite = True
    begin = "BEGIN IMMEDIATE"

    def __init__(
        self, path: Path, *, pool_size: int, busy_timeout: float, write_timeout: float
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._lock = FileLock(path.with_name(path.name + ".lock"))
        self._mark = TurnMark(self._lock.file)
        # Opened, never made: where the file was removed, a new one would take its place in silence.
        url = f"sqlite+pysqlite:///file:{quote(str(path.absolute()))}?mode=rw&uri=true"
        self.reading = _engine(
            url,
            busy_timeout,
            _READER_CACHE,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=busy_timeout,
            pool_use_lifo=True,
        )
        # What waits for a lock must give up before those who wait for it do.
        wait = min(busy_timeout, 0.8 * write_timeout)
        self.writing = _engine(url, wait, _WRITER_CACHE, poolclass=NullPool)
        with self._lock.held():
            _use_write_ahead_log(path)
        self._file = _identity(path)
        event.listen(self.reading, "checkout", lambda *_: self._require_in_place())

    @property
    def lock_wait(self) -> LockWait:
        """How long this process waited for the file lock."""
        return self._lock.wait

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the file lock in the block."""
        with self._lock.held():
            self._require_in_place()
            try:
                self._mark.begin()
            except OSError as error:
                raise sqlite3.OperationalError(f"the lock's file: {error.strerror}") from error
            try:
                yield
            finally:
                self._mark.end()

    def mark(self) -> int | None:
        """A number that is another one after each turn; None where nothing can be said."""
        return self._mark.seen()

    def is_in_transaction(self, connection: Connection) -> bool:
        """Whether a transaction is open; a full disk may have had it undone."""
        driver: Any = connection.connection.dbapi_connection
        return bool(driver.in_transaction)

    @contextmanager
    def migrating(self, connection: Connection) -> Iterator[None]:
        """A transaction in which no other process changes the tables."""
        with self._lock.held():
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                connection.exec_driver_sql("ROLLBACK")
                raise
            connection.exec_driver_sql("COMMIT")

    def now(self, connection: Connection) -> tuple[int, int]:
        """What the host's clock shows."""
        return time.time_ns() // 1000, 0

    def close(self) -> None:
        """Close all connections and the lock's file."""
        self.reading.dispose()
        # This waits for a turn that is under way, which ends with the mark.
        self._lock.close()
        self._mark.close()

    def _require_in_place(self) -> None:
        """Raise unless the file is where it was: what is written to a removed one is lost."""
        if _identity(self.path) != self._file:
            raise sqlite3.OperationalError(
                "the database's file was removed or replaced; put it back, or restart the service"
            )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _engine(url: str, busy_timeout: float, cache: int, **options: Any) -> Engine:
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": busy_timeout},
        **options,
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = {cache}")

    return engine


def _use_write_ahead_log(path: Path) -> None:
    # For nobody else's eyes; the files beside it are given the same mode by SQLite.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    finally:
        connection.close()
    if mode != "wal":
        raise sqlite3.OperationalError(
            f"{path} is on a file system that can't keep a write-ahead log (such as NFS);"
            " put server.data_dir on a local disk, or set store.url to a PostgreSQL database"
        )
