"""Rows of a storage for a stream: the next ones in order, so many as may lie in memory.

No statement looks at more than a window of rows, whatever a filter leaves of them: it must be over
before a server ends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, literal, select

from aggregator.store.stream_columns import ROW, TIME
from aggregator.store.stream_storages import Storage, last_row

Condition = ColumnElement[bool]

#: Bytes of memory that a value takes beside its characters, about.
_VALUE = 16
#: Rows that one statement looks at, and one call of `next_piece`.
WINDOW, _LOOKED_AT = 20_000, 200_000


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows, each its number and then its values, the first of them its instant.

    With them all up to the row `upto` has been looked at, of all up to the row `last`.
    """

    rows: tuple[Sequence[Any], ...]
    upto: int
    last: int


@dataclass(frozen=True, slots=True)
class Want:
    """Which rows: after a number, up to one where it is given, and at most so many and so large.

    `condition` is a filter; `most_bytes` may be exceeded by one row.
    """

    after: int
    upto: int | None
    condition: Condition | None
    most: int
    most_bytes: int


def next_piece(connection: Connection, storage: Storage, want: Want) -> Piece:
    """The next rows of a stream."""
    # Asked first: whatever has a number up to it is there to be seen.
    last = last_row(connection, storage) if want.upto is None else want.upto
    first = oldest_row(connection, storage)
    rows: list[Sequence[Any]] = []
    left = want.most_bytes
    after = max(want.after, last if first is None else first - 1)
    end = min(last, after + _LOOKED_AT)
    while after < end:
        upto, most = min(end, after + WINDOW), want.most - len(rows)
        window = replace(want, after=after, upto=upto, most=most)
        numbers, left = _numbers(connection, storage, window, left)
        # Some of them may have been removed in between.
        rows += _rows(connection, storage, window, numbers)
        if numbers and (left <= 0 or len(numbers) == most):
            return Piece(tuple(rows), numbers[-1], last)
        after = upto
    return Piece(tuple(rows), max(end, want.after), last)


def _numbers(
    connection: Connection, storage: Storage, window: Want, left: int
) -> tuple[list[int], int]:
    """The numbers of the next rows of a window, and how many bytes they leave of so many.

    Rows may be so large that a few of them are too many: sizes are asked for before rows are.
    """
    found = []
    values = _VALUE * len(storage.table.columns)
    length = _length(storage, connection.dialect.name)
    asked = _within(select(storage.table.c[ROW], length), storage, window)
    with connection.execute(asked.limit(window.most)) as sizes:
        for number, size in sizes:
            found.append(int(number))
            left -= values + int(size)
            if left <= 0:
                break
    return found, left


def _rows(
    connection: Connection, storage: Storage, window: Want, numbers: Sequence[int]
) -> Sequence[Sequence[Any]]:
    if not numbers:
        return []
    return connection.execute(
        _within(select(storage.table), storage, replace(window, upto=numbers[-1]))
    ).fetchall()


def _within(asked: Select[Any], storage: Storage, window: Want) -> Select[Any]:
    number = storage.table.c[ROW]
    asked = asked.where(number > window.after, number <= window.upto).order_by(number)
    return asked if window.condition is None else asked.where(window.condition)


def _length(storage: Storage, dialect: str) -> ColumnElement[int]:
    """The characters or bytes of a row."""
    # PostgreSQL knows of bytes without reading them; SQLite did not know the function always.
    length = func.length if dialect == "sqlite" else func.octet_length
    lengths: list[ColumnElement[int]] = [
        func.coalesce(length(storage.table.c[column.name]), 0)
        for column in storage.columns
        if column.kind in ("text", "bytes")
    ]
    # In halves, for a chain of 200 is as many calls deep when it is compiled.
    while len(lengths) > 1:
        pairs = zip(lengths[::2], lengths[1::2], strict=False)
        lengths = [a + b for a, b in pairs] + lengths[len(lengths) & ~1 :]
    return lengths[0] if lengths else literal(0)


def oldest_row(connection: Connection, storage: Storage) -> int | None:
    """The number of the oldest row that is kept; None where none is."""
    found = connection.execute(select(func.min(storage.table.c[ROW]))).scalar()
    return None if found is None else int(found)


def row_before(connection: Connection, storage: Storage, instant: float) -> int:
    """The number of the row before the first one of an instant or later; of the last one where
    there is none such."""
    row, at = storage.table.c[ROW], storage.table.c[TIME]
    last = last_row(connection, storage)
    first = oldest_row(connection, storage)
    after = last if first is None else first - 1
    while after < last:
        end = min(last, after + WINDOW)
        asked = select(func.min(row)).where(row > after, row <= end, at >= instant)
        found = connection.execute(asked).scalar()
        if found is not None:
            return int(found) - 1
        after = end
    return last
