"""What the store needs to know of a kind of database, apart from its SQL."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from sqlalchemy import Connection, Engine

from aggregator.store.filelock import LockWait


class Database(Protocol):
    """A database that is reached through connections in autocommit mode.

    Transactions are begun and ended by statements of ours, so that nothing depends on what a
    driver does by itself.
    """

    @property
    def is_sqlite(self) -> bool:
        """Whether it is the embedded database."""

    @property
    def reading(self) -> Engine:
        """The pool of connections for reading."""

    @property
    def writing(self) -> Engine:
        """Opens the one connection for writing; it keeps no pool."""

    @property
    def begin(self) -> str:
        """The statement that begins a transaction that will write."""

    @property
    def lock_wait(self) -> LockWait:
        """How long this process waited for its turn to write."""

    def turn(self) -> AbstractContextManager[None]:
        """Hold this host's turn to write in the block."""

    def mark(self) -> int | None:
        """A number that changes with everything that is written, None where there is none."""

    def is_in_transaction(self, connection: Connection) -> bool:
        """Whether a transaction may be open: it may not have begun, or have been undone already."""

    def now(self, connection: Connection) -> tuple[int, int]:
        """What the database's own clock shows, microseconds since 1970 UTC, and how far that was
        set forward as far as is known."""

    def close(self) -> None:
        """Close all connections."""


class MigratedDatabase(Database, Protocol):
    """A database whose tables are brought from one version to the next."""

    def migrating(self, connection: Connection) -> AbstractContextManager[None]:
        """A transaction on `connection` in which no other process changes the tables."""
