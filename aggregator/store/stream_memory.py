"""A database in memory that all threads of a process share, and that is gone with it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool, StaticPool

from aggregator.store.filelock import LockWait


class MemoryDatabase:
    """One connection of SQLite; who reads and who writes take turns at it.

    A second connection would see another database, and SQLite's way of sharing one in memory
    refuses who comes while another is at work.
    """

    is_sqlite = True
    begin = "BEGIN IMMEDIATE"

    def __init__(self, *, busy_timeout: float) -> None:
        self._connection = sqlite3.connect(
            ":memory:", isolation_level=None, check_same_thread=False
        )
        # Taken by who checks the connection out for reading, let go when it is given back.
        self._turn = threading.Lock()
        self.lock_wait = LockWait()
        self.writing = self._engine(poolclass=StaticPool)
        self.reading = self._engine(
            poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=busy_timeout
        )
        # The first use of an engine looks at its connection and rolls back what is under way.
        for engine in (self.writing, self.reading):
            engine.connect().close()
        event.listen(self.reading, "checkout", lambda *_: self._turn.acquire())
        event.listen(self.reading, "checkin", lambda *_: self._turn.release())

    def _engine(self, **options: Any) -> Engine:
        return create_engine(
            "sqlite+pysqlite://",
            creator=lambda: self._connection,
            isolation_level="AUTOCOMMIT",
            **options,
        )

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Keep everybody else from the connection in the block."""
        with self._turn:
            yield

    def mark(self) -> int | None:
        """None: nobody keeps account of what was written."""
        return None

    def is_in_transaction(self, connection: Connection) -> bool:
        """Whether a transaction is open."""
        return self._connection.in_transaction

    def now(self, connection: Connection) -> tuple[int, int]:
        """What the host's clock shows."""
        return time.time_ns() // 1000, 0

    def close(self) -> None:
        """Forget all."""
        with self._turn:
            self._connection.close()
