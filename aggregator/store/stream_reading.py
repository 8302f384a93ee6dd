"""Rows of a storage for a stream: the next ones in order, so many as may lie in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from aggregator.store.stream_columns import ROW
from aggregator.store.stream_storages import Storage, last_row

Condition = ColumnElement[bool]

#: Rows that are asked for at once, at first and later: the first ones tell how large they are.
_FIRST, _LATER = 16, 500


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows, each its number and then its values, the first of them its instant.

    With them all up to the row `upto` has been looked at.
    """

    rows: tuple[Sequence[Any], ...]
    upto: int


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
    found: list[Sequence[Any]] = []
    size = 0
    for row in _rows(connection, storage, want, last):
        found.append(row)
        size += _size(row)
        if len(found) == want.most or size >= want.most_bytes:
            return Piece(tuple(found), int(row[0]))
    return Piece(tuple(found), max(last, want.after))


def _rows(
    connection: Connection, storage: Storage, want: Want, last: int
) -> Iterator[Sequence[Any]]:
    number = storage.table.c[ROW]
    after, piece = want.after, _FIRST
    while after < last:
        asked = select(storage.table).where(number > after, number <= last)
        if want.condition is not None:
            asked = asked.where(want.condition)
        rows = connection.execute(asked.order_by(number).limit(piece)).fetchall()
        yield from rows
        if len(rows) < piece:
            return
        after, piece = int(rows[-1][0]), _LATER
        if sum(map(_size, rows)) > len(rows) * 2**16:
            piece = _FIRST


def _size(row: Sequence[Any]) -> int:
    """About how many bytes of memory a row takes."""
    return sum(len(value) if isinstance(value, str | bytes) else 16 for value in row)
