"""Rows of DATA and DELAY of one set of tables, a page at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from aggregator.store.measured_connections import Connections, Row
from aggregator.store.measured_instants import require_whole, stored
from aggregator.store.measured_layouts import Tables
from aggregator.store.measured_limits import Budget
from aggregator.store.measured_ntp import SECOND, Bounds
from aggregator.store.measured_periods import TableSet

#: Rows that are read at a time, and samples with all their buckets.
SIZE, WITH_BUCKETS = 2000, 200
#: Where things are in a row: whole second, instants, what was measured by whom.
BEGINS, ENDS, PATH = 1, 2, slice(3, 6)
#: Of a row of delays.
VALUES, END_SECOND = slice(6, 14), 14

Buckets = dict[tuple[int, ...], list[tuple[int, int]]]


class Path(NamedTuple):
    """The ids in one set of tables of what was measured: nodes with either address, settings."""

    senders: Sequence[int]
    receivers: Sequence[int]
    numbers: Sequence[int]


class Reading(NamedTuple):
    """What is read from, as what, and for how long."""

    connections: Connections
    tables: Tables
    budget: Budget


def pages(
    reading: Reading, tables: TableSet, path: Path, bounds: Bounds, *, size: int = SIZE
) -> Iterator[list[Row]]:
    """Rows of DATA within bounds, in the order of their beginnings.

    All rows of one second are in one page, so that the next page begins after it.
    """
    asked = _Asked(reading, tables, path, bounds)
    # A second of grace for columns that were rounded.
    after = bounds.first // SECOND - 2 if not reading.tables.longest else -1
    more = True
    while more:
        rows = asked.next(after, size)
        more = len(rows) == size
        if more:
            last = rows[-1][0]
            rows = [row for row in rows if row[0] < last] or asked.next(last - 1, None, last)
        if rows:
            after = rows[-1][0]
            if reading.connections.is_sqlite:
                column = f"{tables.table('DATA')}.{reading.tables.begins}"
                require_whole(rows[0][BEGINS], column=column, name=reading.connections.name)
            rows.sort(key=lambda row: (row[BEGINS], row[ENDS]))
            yield rows


class _Asked:
    """The SELECT of rows of one path and time."""

    def __init__(self, reading: Reading, tables: TableSet, path: Path, asked_for: Bounds) -> None:
        self._reading = reading
        layout, quoted = reading.tables, reading.connections.quoted
        columns = (layout.second, layout.begins, layout.ends, "send_id", "recv_id", "tspec_id")
        second = quoted(layout.second)
        self._sql = (
            f"SELECT {quoted(*columns, *layout.values)} FROM {quoted(tables.table('DATA'))}"
            " WHERE send_id IN :senders AND recv_id IN :receivers AND tspec_id IN :numbers"
            f" AND {second} > :after AND {second} <= :until"
            f" AND {quoted(layout.ends)} >= :first AND {quoted(layout.begins)} <= :last"
            f" ORDER BY {second}"
        )
        limits = stored(asked_for, is_sqlite=reading.connections.is_sqlite)
        self._until = asked_for.last // SECOND + 1
        self._values = {
            "senders": list(path.senders),
            "receivers": list(path.receivers),
            "numbers": list(path.numbers),
            "first": limits.first,
            "last": limits.last,
        }

    def next(self, after: int, most: int | None, until: int | None = None) -> list[Row]:
        """The next rows after a second; at most so many, or all until one."""
        values = {**self._values, "after": after, "until": self._until if until is None else until}
        sql = self._sql
        if most is not None:
            sql, values = f"{sql} LIMIT :most", {**values, "most": most}
        return list(self._reading.connections.rows(sql, self._reading.budget, **values))


def buckets_of(reading: Reading, tables: TableSet, path: Path, rows: Sequence[Row]) -> Buckets:
    """The buckets of all samples of a page, by beginning and end in seconds, and path."""
    quoted = reading.connections.quoted
    seconds = [row[0] for row in rows]
    found = reading.connections.rows(
        f"SELECT si, ei, send_id, recv_id, tspec_id, basei, i, n"
        f" FROM {quoted(tables.table('DELAY'))}"
        " WHERE send_id IN :senders AND recv_id IN :receivers AND tspec_id IN :numbers"
        " AND si >= :since AND si <= :until ORDER BY si, ei, i",
        reading.budget,
        senders=list(path.senders),
        receivers=list(path.receivers),
        numbers=list(path.numbers),
        since=min(seconds),
        until=max(seconds),
    )
    buckets: Buckets = defaultdict(list)
    for si, ei, sender, receiver, number, basei, i, n in found:
        buckets[si, ei, sender, receiver, number].append((basei + i, n))
    return buckets


def bucket_key(row: Row) -> tuple[int, ...]:
    """Under what the buckets of a sample are found."""
    return (row[0], row[END_SECOND], *row[PATH])
