"""What a unit of work is handed: a connection in a transaction, and what to do at its end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from aggregator.model import ChangeKind
from aggregator.store.statement import Row, Statement


class Tally:
    """What the units of one transaction leave to its end, so that hot rows are held briefly.

    ``changes`` maps a group's id to (entry id, instant, kind) in the order they were made,
    ``entries`` to how many were added less those removed, ``pruned_to`` to the last sequence
    that left the log. ``owners`` counts entries by (group id, owner), ``accumulated`` the
    registrations by (group id, process). ``limits`` are the most entries that the units found
    room for, by (group id, owner or None).
    """

    def __init__(self) -> None:
        self.changes: dict[int, list[tuple[int, int, ChangeKind]]] = defaultdict(list)
        self.entries: dict[int, int] = defaultdict(int)
        self.owners: dict[tuple[int, str], int] = defaultdict(int)
        self.accumulated: dict[tuple[int, str], int] = defaultdict(int)
        self.pruned_to: dict[int, int] = {}
        self.limits: dict[tuple[int, str | None], int] = {}


class Overtaken(Exception):
    """Another process committed what makes untrue what a unit had found; run the units again."""


class Write:
    """One unit's part of a transaction. `now` is the unit's one instant.

    Read through `connection`; write through `run`, `rows` and `run_many`, which remember that
    something was written.
    """

    __slots__ = ("connection", "now", "tally", "wrote")

    def __init__(self, connection: Connection, now: int, tally: Tally) -> None:
        self.connection = connection
        self.now = now
        self.tally = tally
        self.wrote = False

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

    def change(self, group_id: int, entry_id: int, kind: ChangeKind) -> None:
        """Record a change; it gets its sequence at the end of the transaction."""
        self.wrote = True
        self.tally.changes[group_id].append((entry_id, self.now, kind))

    def count(self, group_id: int, owner: str, difference: int) -> None:
        """Count entries that were added, or, below zero, removed."""
        self.wrote = True
        self.tally.entries[group_id] += difference
        if owner:
            self.tally.owners[group_id, owner] += difference

    def accumulate(self, group_id: int, process: str, n: int) -> None:
        """Count registrations for the group's accumulator."""
        self.wrote = True
        self.tally.accumulated[group_id, process] += n

    def pruned(self, group_id: int, sequence: int) -> None:
        """Record that the group's log of changes now begins after `sequence`."""
        self.wrote = True
        self.tally.pruned_to[group_id] = sequence
