"""What a unit of work is handed: a connection in a transaction, and what to do at its end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from aggregator.model import ChangeKind
from aggregator.store.many_rows import ManyRows
from aggregator.store.statement import Row, Statement


class Tally:
    """What the units of one transaction leave to its end, so that hot rows are held briefly.

    ``changes`` maps a group's id to (entry id, instant, kind) in the order they were made,
    ``entries`` to how many were added less those removed, ``pruned_to`` to the last sequence
    that left the log. ``owners`` counts entries by (group id, owner), ``accumulated`` the
    registrations by (group id, process). ``limits`` are the most entries that the units found
    room for, and ``stored`` how many they found, by (group id, owner or None). ``put_off`` are
    rows that are inserted before anything else is done, ``last_id`` the last entry's id.
    """

    def __init__(self) -> None:
        self.changes: dict[int, list[tuple[int, int, ChangeKind]]] = defaultdict(list)
        self.entries: dict[int, int] = defaultdict(int)
        self.owners: dict[tuple[int, str], int] = defaultdict(int)
        self.accumulated: dict[tuple[int, str], int] = defaultdict(int)
        self.pruned_to: dict[int, int] = {}
        self.limits: dict[tuple[int, str | None], int] = {}
        self.stored: dict[tuple[int, str | None], int] = {}
        self.put_off: dict[ManyRows, list[Sequence[Any]]] = {}
        self.last_id: int | None = None
        # By group, whether somebody is to be told; by entry, what it was before it was removed.
        self.subscribed: dict[int, bool] = {}
        self.removed: dict[int, Sequence[Any]] = {}
        # By group, how many subscribed less those that left, and what is to be run with the
        # sequence that the group has come to.
        self.joined: dict[int, int] = {}
        self.marks: dict[int, list[tuple[Statement, Mapping[str, Any]]]] = defaultdict(list)
        # By entry, whether collecting it began or ceased to fail; events that are published.
        self.turns: dict[int, str] = {}
        self.events: list[tuple[int, str, str, str, str, bytes]] = []


class Overtaken(Exception):
    """Another process committed what makes untrue what a unit had found; run the units again."""


class Write:
    """One unit's part of a transaction. `now` is the unit's one instant.

    Read through `connection`; write through the other methods, which remember that something was
    written.
    """

    __slots__ = ("_connection", "now", "tally", "wrote")

    def __init__(self, connection: Connection, now: int, tally: Tally) -> None:
        self._connection = connection
        self.now = now
        self.tally = tally
        self.wrote = False

    @property
    def connection(self) -> Connection:
        """The connection, on which all is seen that was written in this transaction so far."""
        put_off = self.tally.put_off
        while put_off:
            statement = next(iter(put_off))
            statement.run(self._connection, put_off.pop(statement))
        return self._connection

    @property
    def is_sqlite(self) -> bool:
        """Whether it is the embedded database."""
        return self._connection.dialect.name == "sqlite"

    def put_off(self, insert: ManyRows, row: Sequence[Any]) -> None:
        """Insert a row together with others of this transaction, before anything else is done."""
        self.wrote = True
        self.tally.put_off.setdefault(insert, []).append(row)

    def run(self, statement: Statement, **values: Any) -> int:
        """Execute a writing statement; how many rows it touched."""
        self.wrote = True
        return statement.run(self.connection, **values)

    def rows(self, statement: Statement, **values: Any) -> list[Row]:
        """Execute a writing statement; every row that it returns."""
        self.wrote = True
        return statement.rows(self.connection, **values)

    def run_many(self, statement: Statement, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute a writing statement once for each of `rows`."""
        self.wrote = True
        statement.run_many(self.connection, rows)

    def insert(self, statement: ManyRows, rows: Sequence[Sequence[Any]]) -> int:
        """Insert rows; how many."""
        self.wrote = True
        return statement.run(self.connection, rows)

    def rows_of_many(
        self, statement: ManyRows, rows: Sequence[Sequence[Any]], **others: Any
    ) -> list[Row]:
        """Execute a statement that writes many rows; every row that it returns."""
        self.wrote = True
        return statement.rows(self.connection, rows, **others)

    def change(self, group_id: int, entry_id: int, kind: ChangeKind) -> None:
        """Record a change; it gets its sequence at the end of the transaction."""
        self.wrote = True
        self.tally.changes[group_id].append((entry_id, self.now, kind))

    def count(self, group_id: int, owner: str, difference: int) -> None:
        """Count entries that were added, or, below zero, removed."""
        self.wrote = True
        if difference < 0:
            self.ended()
        self.tally.entries[group_id] += difference
        if owner:
            self.tally.owners[group_id, owner] += difference

    def join(
        self,
        group_id: int,
        difference: int,
        mark: Statement | None = None,
        **values: Any,
    ) -> None:
        """Count subscribers of a group that came or, below zero, left; 0 where one has changed.

        `mark` is run at the end of the transaction, with ``reached``, the group's sequence then:
        the group's row is locked no sooner.
        """
        self.wrote = True
        self.tally.joined[group_id] = self.tally.joined.get(group_id, 0) + difference
        if mark is not None:
            self.tally.marks[group_id].append((mark, values))

    def ended(self) -> None:
        """Have entries counted anew, since some ended or were removed."""
        self.tally.stored.clear()

    def accumulate(self, group_id: int, process: str, n: int) -> None:
        """Count registrations for the group's accumulator."""
        self.wrote = True
        self.tally.accumulated[group_id, process] += n

    def pruned(self, group_id: int, sequence: int) -> None:
        """Record that the group's log of changes now begins after `sequence`."""
        self.wrote = True
        self.tally.pruned_to[group_id] = sequence
