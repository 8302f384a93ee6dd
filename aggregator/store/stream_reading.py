"""Rows of a storage for a stream: the next ones in order, so many as may lie in memory.

No statement looks at more than a window of rows, whatever a filter leaves of them: it must be over
before a server ends it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from aggregator.store.stream_columns import ROW, TIME
from aggregator.store.stream_storages import Storage, last_row

Condition = ColumnElement[bool]

#: Rows that are asked for at once, at first and later: the first ones tell how large they are.
_FIRST, _LATER = 16, 500
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
    found: list[Sequence[Any]] = []
    size, begin = 0, max(want.after, last if first is None else first - 1)
    end = min(last, begin + _LOOKED_AT)
    for row in _rows(connection, storage, want.condition, begin, end):
        found.append(row)
        size += _size(row)
        if len(found) == want.most or size >= want.most_bytes:
            return Piece(tuple(found), int(row[0]), last)
    return Piece(tuple(found), max(end, want.after), last)


def _rows(
    connection: Connection, storage: Storage, condition: Condition | None, after: int, last: int
) -> Iterator[Sequence[Any]]:
    number = storage.table.c[ROW]
    piece = _FIRST
    while after < last:
        end = min(last, after + WINDOW)
        asked = select(storage.table).where(number > after, number <= end)
        if condition is not None:
            asked = asked.where(condition)
        rows = connection.execute(asked.order_by(number).limit(piece)).fetchall()
        yield from rows
        after = end if len(rows) < piece else int(rows[-1][0])
        piece = _FIRST if sum(map(_size, rows)) > len(rows) * 2**16 else _LATER


def _size(row: Sequence[Any]) -> int:
    """About how many bytes of memory a row takes."""
    return sum(len(value) if isinstance(value, str | bytes) else 16 for value in row)


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
