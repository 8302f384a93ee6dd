"""How long a statement on a database of measurements may take: ended by the database itself.

Beside that, drivers give up on a server that says nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

from sqlalchemy import Connection

from aggregator.errors import MeasurementsTooSlow

#: Seconds more that are left to a server to end a statement by itself.
_GRACE = 1.0
#: Instructions of SQLite's virtual machine after which it looks at the clock.
_STEPS = 10_000


class Budget:
    """The seconds that the database may take for one request; those of who reads don't count."""

    def __init__(self, seconds: float, name: str) -> None:
        self._left = self._seconds = seconds
        self._name = name

    @contextmanager
    def spending(self) -> Iterator[float]:
        """Take what the block takes from what is left, which is given to it."""
        if self._left <= 0:
            raise self.exceeded()
        begun = monotonic()
        try:
            yield self._left
        finally:
            self._left -= monotonic() - begun

    def exceeded(self) -> MeasurementsTooSlow:
        """What to raise where the time is over."""
        return MeasurementsTooSlow(
            f"{self._name}: not read within {self._seconds:g} s; ask for less at a time"
        )


@contextmanager
def limited(connection: Connection, seconds: float) -> Iterator[None]:
    """Let each statement of the block take so long at most."""
    dialect = connection.dialect
    driver: Any = connection.connection.dbapi_connection
    millis = max(1, int(seconds * 1000))
    if dialect.name == "sqlite":
        driver.execute(f"PRAGMA busy_timeout = {millis}")
        with _interrupted(driver, seconds):
            yield
        return
    # PyMySQL has no other name for what it sets at each read.
    silence = "limit" if dialect.name == "postgresql" else "_read_timeout"
    before = getattr(driver, silence)
    setattr(driver, silence, seconds + _GRACE)
    if dialect.name == "postgresql":
        setting = f"statement_timeout = {millis}"
    elif getattr(dialect, "is_mariadb", False):
        setting = f"max_statement_time = {seconds:.3f}"
    else:
        setting = f"max_execution_time = {millis}"
    try:
        connection.exec_driver_sql(f"SET {setting}")
        yield
    finally:
        setattr(driver, silence, before)


@contextmanager
def _interrupted(driver: Any, seconds: float) -> Iterator[None]:
    deadline = monotonic() + seconds
    driver.set_progress_handler(lambda: monotonic() > deadline, _STEPS)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)


@contextmanager
def briefly_limited(connection: Connection, seconds: float) -> Iterator[None]:
    """As `limited`, in a transaction of a connection that others use with limits of their own."""
    driver: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite":
        with _interrupted(driver, seconds):
            yield
        return
    limit, driver.limit = driver.limit, seconds + _GRACE
    millis = max(1, int(seconds * 1000))
    try:
        connection.exec_driver_sql(f"BEGIN READ ONLY; SET LOCAL statement_timeout = {millis}")
        try:
            yield
        finally:
            connection.exec_driver_sql("ROLLBACK")
    finally:
        driver.limit = limit
