"""Statements on many rows at once.

The driver lets go of Python's lock at each statement, and in a process whose other threads are busy
it waits to get it back: a hundred rows in one statement cost a fraction of a hundred statements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert
from sqlalchemy.sql import ClauseElement

from aggregator.store.statement import Row, Statement
from aggregator.store.upsert import or_nothing

#: Numbers of rows that there is a statement for. All but the largest are run once at most.
_SIZES = (64, 32, 16, 8, 4, 2, 1)


class ManyRows:
    """A statement on rows of `columns`, made by `build` for as many rows as it is given.

    `build` is given the names of the parameters, row by row.
    """

    def __init__(
        self, columns: Sequence[str], build: Callable[[Sequence[Sequence[str]]], ClauseElement]
    ) -> None:
        self._columns = columns
        self._build = build
        self._made: dict[int, tuple[Statement, list[str]]] = {}

    def rows(
        self, connection: Connection, rows: Sequence[Sequence[Any]], **others: Any
    ) -> list[Row]:
        """Execute for `rows`, in their order; what the statement returns.

        `others` are parameters that are the same for all of them.
        """
        found = []
        for piece in _pieces(rows):
            statement, names = self._of(len(piece))
            values = dict(zip(names, chain.from_iterable(piece), strict=True))
            found += statement.rows(connection, **values, **others)
        return found

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> int:
        """Execute for `rows`, in their order; how many rows it touched."""
        touched = 0
        for piece in _pieces(rows):
            statement, names = self._of(len(piece))
            values = dict(zip(names, chain.from_iterable(piece), strict=True))
            touched += statement.run(connection, **values)
        return touched

    def _of(self, size: int) -> tuple[Statement, list[str]]:
        made = self._made.get(size)
        if made is None:
            names = [[f"{column}_{place}" for column in self._columns] for place in range(size)]
            made = Statement(self._build(names)), list(chain.from_iterable(names))
            self._made[size] = made
        return made


def inserting(table: Table, *, unless_there: bool = False) -> ManyRows:
    """The statement that inserts whole rows, their values in the order of the columns.

    `unless_there` leaves alone what conflicts with them.
    """
    columns = [column.name for column in table.columns]
    begun = or_nothing(table) if unless_there else insert(table)

    def build(names: Sequence[Sequence[str]]) -> ClauseElement:
        return begun.values(
            [
                {
                    column.name: bindparam(name, type_=column.type)
                    for column, name in zip(table.columns, row, strict=True)
                }
                for row in names
            ]
        )

    return ManyRows(columns, build)


def _pieces(rows: Sequence[Sequence[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
    start = 0
    for size in _SIZES:
        while len(rows) - start >= size:
            yield rows[start : start + size]
            start += size
