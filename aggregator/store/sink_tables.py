"""A sink's own tables: only those, read as committed, written in the delivery's transaction."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from aggregator.errors import ConfigError, DeliverError
from aggregator.store.trouble import DATABASE_ERRORS, is_locked, is_lost, is_passing

if TYPE_CHECKING:
    from aggregator.store.engine import Store
    from aggregator.store.write import Write

log = logging.getLogger(__name__)

_LITERAL = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
_TABLE = re.compile(
    r"\b(?:FROM|JOIN|INTO|UPDATE|TABLE|INDEX\b[^;()]*?\bON)\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?"
    r"(?!SET\b|SELECT\b)([\w.\"]+)",
    re.IGNORECASE,
)
_COMMON_TABLE = re.compile(r"\b(\w+)(?:\s*\([^()]*\))?\s+AS\s+\(", re.IGNORECASE)


class StoreTables:
    """`aggregator.contract.SinkTables` of one delivery to the sink `name`."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name
        self._writes: list[Callable[[Write], object]] = []

    async def read(self, sql: str, **values: object) -> Sequence[Sequence[Any]]:
        """Rows of a SELECT with :name parameters, as committed."""
        check_tables(sql, self._name)
        return await asyncio.to_thread(self._read, sql, values)

    def write(self, sql: str, **values: object) -> None:
        """A statement with :name parameters that runs in the delivery's transaction."""
        check_tables(sql, self._name)
        self.join(lambda write: write.connection.execute(text(sql), values))

    def join(self, unit: Callable[[Write], object]) -> None:
        """Have a unit of work run in the delivery's transaction; it may run more than once."""
        self._writes.append(unit)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self._writes

    def apply(self, write: Write) -> None:
        """Run what was written, all or nothing; DeliverError leaves the transaction usable."""
        if self.is_empty:
            return
        write.wrote = True
        write.connection.exec_driver_sql("SAVEPOINT sink")
        try:
            for unit in self._writes:
                unit(write)
        except DATABASE_ERRORS as error:
            if is_lost(error) or is_locked(error) or is_passing(error):
                raise
            write.connection.exec_driver_sql("ROLLBACK TO SAVEPOINT sink")
            raise DeliverError(f"the tables of the sink {self._name}: {error}") from error
        except Exception as error:
            # A bug of whoever joined, which others of the transaction must not suffer from.
            write.connection.exec_driver_sql("ROLLBACK TO SAVEPOINT sink")
            log.exception("what the sink %s writes failed", self._name)
            raise DeliverError(f"what the sink {self._name} writes failed") from error
        write.connection.exec_driver_sql("RELEASE SAVEPOINT sink")

    def _read(self, sql: str, values: dict[str, object]) -> Sequence[Sequence[Any]]:
        return self._store.query(
            lambda connection: [tuple(row) for row in connection.execute(text(sql), values)]
        )


def check_tables(sql: str, sink: str) -> None:
    """Raise ConfigError where `sql` names a table that is not the sink's own.

    It keeps a plug-in from reaching by mistake for what is not its own; it is no wall against
    one that means to.
    """
    own = "sink_" + re.sub(r"\W", "_", sink).lower()
    bare = _LITERAL.sub("''", sql)
    allowed = {name.lower() for name in _COMMON_TABLE.findall(bare)}
    for found in _TABLE.findall(bare):
        table = found.replace('"', "").lower()
        if table != own and not table.startswith(f"{own}_") and table not in allowed:
            raise ConfigError(
                f"the sink {sink} names the table {found}; its tables are called {own}_..."
            )
