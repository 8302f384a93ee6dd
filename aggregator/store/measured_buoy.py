"""perfSONARBUOY's databases of throughput and of delays, read in place.

Rows come a page at a time, in the order of their whole second, which begins the primary key; those
of one second are put in order here. Nodes are matched by the whole of their addresses, whatever
the collation of the column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aggregator.errors import AddressesUnknown, NothingMeasured
from aggregator.store.measured_connections import Connections, Row
from aggregator.store.measured_finding import Finding
from aggregator.store.measured_layouts import Tables
from aggregator.store.measured_limits import Budget
from aggregator.store.measured_ntp import ALL, HALF, SECOND, Bounds, bounds
from aggregator.store.measured_pages import (
    BEGINS,
    ENDS,
    PATH,
    SIZE,
    VALUES,
    WITH_BUCKETS,
    Path,
    Reading,
    bucket_key,
    buckets_of,
    pages,
)
from aggregator.store.measured_periods import TableSet, table_sets, within
from aggregator.store.measured_values import Delay, MeasuredTest, Throughput, Within

#: Seconds that a look for tests may take.
FINDING = 600.0


class BuoyDatabase:
    """A database of sets of tables; it is opened when it is read."""

    def __init__(self, connections: Connections, tables: Tables) -> None:
        self.name = connections.name
        self._connections = connections
        self._tables = tables
        self._finding = Finding()
        self._lower: bool | None = None

    def tests(self) -> Iterator[MeasuredTest]:
        """All tests that have rows."""
        reading = self._reading(FINDING)
        yield from self._finding.tests(reading, self._sets(reading))

    def throughput(
        self, test: MeasuredTest, within: Within, *, timeout: float
    ) -> Iterator[Throughput]:
        """Measurements in the order of their times."""
        if self._tables.kind != "bwctl":
            return
        reading, asked = self._reading(timeout), bounds(within)
        new = tuple.__new__
        for tables, path in self._paths(reading, test, asked):
            for rows in pages(reading, tables, path, asked):
                for row in rows:
                    yield new(Throughput, (int(row[BEGINS]) % ALL, *row[6:]))

    def delays(
        self, test: MeasuredTest, within: Within, *, buckets: bool, timeout: float
    ) -> Iterator[Delay]:
        """Samples in the order of their beginnings; one that two days have comes once."""
        if self._tables.kind != "owamp":
            return
        reading, asked = self._reading(timeout), bounds(within)
        size = WITH_BUCKETS if buckets else SIZE
        spanning: set[Row] = set()
        for tables, path in self._paths(reading, test, asked):
            before, spanning = spanning, set()
            for rows in pages(reading, tables, path, asked, size=size):
                kept = _new_ones(rows, tables, before, spanning)
                found = buckets_of(reading, tables, path, kept) if buckets and kept else {}
                for row in kept:
                    yield _delay(row, tuple(found.get(bucket_key(row), ())))

    def close(self) -> None:
        """Close all connections."""
        self._connections.close()

    def _reading(self, seconds: float) -> Reading:
        return Reading(self._connections, self._tables, Budget(seconds, self.name))

    def _sets(self, reading: Reading) -> list[TableSet]:
        """All sets of tables, as DATES lists them."""
        quoted = self._connections.quoted
        table = self._spelled(reading.budget, "DATES")
        columns = quoted(*self._tables.dates)
        rows = self._connections.rows(f"SELECT {columns} FROM {quoted(table)}", reading.budget)
        sets = table_sets(rows, self.name)
        return [one._replace(lower=True) for one in sets] if self._lower else sets

    def _spelled(self, budget: Budget, table: str) -> str:
        """A name as a server writes it that tells capitals apart, and may have been given none."""
        if self._connections.dialect != "postgresql":
            return table
        if self._lower is None:
            sql = "SELECT to_regclass('\"DATES\"') IS NULL AND to_regclass('dates') IS NOT NULL"
            self._lower = bool(self._connections.rows(sql, budget)[0][0])
        return table.lower() if self._lower else table

    def _paths(
        self, reading: Reading, test: MeasuredTest, asked: Bounds
    ) -> Iterator[tuple[TableSet, Path]]:
        """The sets of tables of a time that know both ends, in order, with the ends' ids.

        Raises AddressesUnknown at the end where none of the time knows either end, and
        NothingMeasured where there are no sets of tables at all.
        """
        sets = self._sets(reading)
        if not sets:
            raise NothingMeasured("No data in database")
        numbers = [number for number in test.numbers if 0 <= number < HALF]
        if not numbers:
            return
        looked = is_known = False
        for tables in within(sets, asked, longest=self._tables.longest):
            looked = True
            senders, receivers = self._nodes(reading, tables, test)
            is_known |= bool(senders or receivers)
            if senders and receivers:
                yield tables, Path(senders, receivers, numbers)
        if looked and not is_known:
            raise AddressesUnknown("", "")

    def _nodes(
        self, reading: Reading, tables: TableSet, test: MeasuredTest
    ) -> tuple[Sequence[int], Sequence[int]]:
        """The ids that a set of tables has of either address."""
        asked = [address for address in (test.source, test.destination) if is_address(address)]
        if not asked:
            return [], []
        rows = self._connections.rows(
            f"SELECT node_id, addr FROM {self._connections.quoted(tables.table('NODES'))}"
            " WHERE addr IN :asked",
            reading.budget,
            asked=asked,
        )
        return (
            [number for number, address in rows if address == test.source],
            [number for number, address in rows if address == test.destination],
        )


def is_address(text: str) -> bool:
    """Whether a text may be one in a database: others are refused by some servers as values."""
    return text.isascii() and text.isprintable() and bool(text)


def _new_ones(
    rows: Sequence[Row], tables: TableSet, before: set[Row], spanning: set[Row]
) -> list[Row]:
    """Those samples that the day before did not have; `spanning` takes those that the next may."""
    kept = []
    for row in rows:
        key = (*row[:3], *row[PATH])
        if key in before:
            continue
        if int(row[ENDS]) % ALL >= tables.ends * SECOND:
            spanning.add(key)
        kept.append(row)
    return kept


def _delay(row: Row, buckets: tuple[tuple[int, int], ...]) -> Delay:
    begins, ends = int(row[BEGINS]) % ALL, int(row[ENDS]) % ALL
    return tuple.__new__(Delay, (begins, ends, *row[VALUES], buckets))
