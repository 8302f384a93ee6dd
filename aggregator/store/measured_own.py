"""Measurements in the store itself: read as those of any other database, and added to."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar, cast

from sqlalchemy import Connection

from aggregator.errors import (
    AddressesUnknown,
    MeasurementsUnavailable,
    NothingMeasured,
    StoreUnavailable,
)
from aggregator.store import measured_selecting as selecting
from aggregator.store.engine import Store
from aggregator.store.measured_limits import Budget, briefly_limited
from aggregator.store.measured_ntp import HALF, Bounds, bounds
from aggregator.store.measured_trouble import is_too_slow
from aggregator.store.measured_values import (
    Delay,
    Kind,
    MeasuredTest,
    Throughput,
    Within,
)
from aggregator.store.measured_writing import Prepared, delays, settings_text, throughput
from aggregator.store.statement import Row, Statement
from aggregator.store.trouble import cause

T = TypeVar("T")
#: Rows that are read at a time, and samples with all their buckets.
_SIZE, _WITH_BUCKETS = 4000, 1000
#: Seconds that a look for tests may take.
_FINDING = 60.0


class OwnMeasurements:
    """Measurements in the tables of a store, which stays its owner's to close."""

    name = "aggregator"

    def __init__(self, store: Store) -> None:
        self._store = store

    def tests(self) -> Iterator[MeasuredTest]:
        """All tests; each has rows."""
        rows = self._read(selecting.TESTS.rows, Budget(_FINDING, self.name))
        for number, kind, source, destination, settings in rows:
            parameters = tuple((name, value) for name, value in json.loads(settings))
            yield MeasuredTest(cast(Kind, kind), source, destination, parameters, (number,))

    def newest(self) -> int:
        """The number of the test that came last, 0 without any: another one tells of new tests."""
        [row] = self._read(selecting.NEWEST.rows, Budget(_FINDING, self.name))
        return int(row[0] or 0)

    def throughput(
        self, test: MeasuredTest, within: Within, *, timeout: float
    ) -> Iterator[Throughput]:
        """Measurements in the order of their times."""
        budget, new = Budget(timeout, self.name), tuple.__new__
        asked = _signed(bounds(within))
        of_tests = [
            self._pages(selecting.THROUGHPUT, number, asked, budget, size=_SIZE)
            for number, _ in self._numbers(test, "bwctl", asked, budget)
        ]
        for rows in _joined(of_tests):
            yield from [
                new(Throughput, (at + HALF, throughput, jitter, lost, sent))
                for at, throughput, jitter, lost, sent in rows
            ]

    def delays(
        self, test: MeasuredTest, within: Within, *, buckets: bool, timeout: float
    ) -> Iterator[Delay]:
        """Samples in the order of their beginnings."""
        budget, asked = Budget(timeout, self.name), _signed(bounds(within))
        samples = [
            self._samples(number, longest, asked, budget, buckets=buckets)
            for number, longest in self._numbers(test, "owamp", asked, budget)
        ]
        yield from samples[0] if len(samples) == 1 else heapq.merge(*samples)

    def add_throughput(self, test: MeasuredTest, rows: Iterable[Throughput]) -> int:
        """Keep measurements of a test; how many were not there before. Its numbers don't matter.

        They are durable when it returns. Raises MeasurementsRefused for values that can't be, and
        nothing is kept; StoreUnavailable where the store does not take them, or not all.
        """
        return self._add(throughput(test, rows))

    def add_delays(self, test: MeasuredTest, rows: Iterable[Delay]) -> int:
        """Keep samples of delays with their buckets, as `add_throughput` does."""
        return self._add(delays(test, rows))

    def _add(self, prepared: Prepared) -> int:
        return sum(self.keep(one) for one in prepared.batches())

    def keep(self, prepared: Prepared) -> int:
        """Keep measurements that were checked, in one transaction; how many are new."""
        return self._store.writer.run(prepared.into)

    def close(self) -> None:
        """Nothing: the store is not ours."""

    def _samples(
        self, number: int, longest: int, asked: Bounds, budget: Budget, *, buckets: bool
    ) -> Iterator[Delay]:
        new = tuple.__new__
        # What reaches into the range began so much before it at most.
        since = max(-HALF, asked.first - longest)
        reach = Bounds(since, asked.last)
        size = _WITH_BUCKETS if buckets else _SIZE
        pages = self._pages(
            selecting.DELAYS, number, reach, budget, size=size, reaching=asked.first
        )
        for rows in pages:
            found = self._buckets(number, rows, budget) if buckets else {}
            yield from [
                new(
                    Delay,
                    (row[0] + HALF, row[1] + HALF, *row[2:], tuple(found.get(row[:2], ()))),
                )
                for row in rows
            ]

    def _buckets(
        self, number: int, rows: Sequence[Row], budget: Budget
    ) -> dict[Row, list[tuple[int, int]]]:
        """The buckets of samples, by their beginnings and ends."""
        first, last = rows[0][0], rows[-1][0]
        found: dict[Row, list[tuple[int, int]]] = {row[:2]: [] for row in rows}
        question = partial(selecting.BUCKETS.rows, of=number, first=first, last=last)
        for begins, ends, place, count in self._read(question, budget):
            of_sample = found.get((begins, ends))
            if of_sample is not None:
                of_sample.append((place, count))
        return found

    def _pages(
        self,
        statement: Statement,
        number: int,
        asked: Bounds,
        budget: Budget,
        *,
        size: int,
        **values: int,
    ) -> Iterator[list[Row]]:
        """Rows in the order of their beginnings, all of one instant in one page."""
        first, most = asked.first, size
        while first <= asked.last:
            page: dict[str, Any] = {
                **values,
                "of": number,
                "first": first,
                "last": asked.last,
                "most": most,
            }
            rows = self._read(partial(statement.rows, **page), budget)
            if len(rows) < most:
                if rows:
                    yield rows
                return
            first = rows[-1][0]
            whole = rows
            while whole and whole[-1][0] == first:
                whole.pop()
            # The last instant may have more, and is read with what comes after it.
            most = size if whole else 2 * most
            if whole:
                yield whole

    def _numbers(
        self, test: MeasuredTest, kind: Kind, asked: Bounds, budget: Budget
    ) -> list[tuple[int, int]]:
        """The ids of a test, with how long its longest sample is.

        Raises NothingMeasured where nothing of the kind is kept, AddressesUnknown where nothing is
        of either address.
        """
        path = {"source": test.source, "destination": test.destination}
        if test.kind != kind or "\0" in "".join(path.values()):
            return []

        def find(connection: Connection) -> list[tuple[int, int]]:
            rows = selecting.OF_PATH.rows(connection, kind=kind, **path)
            if not rows:
                _require_known(connection, kind, path)
            if test.numbers:
                return [(row[0], row[2]) for row in rows if row[0] in test.numbers]
            told = settings_text(test)
            return [(row[0], row[2]) for row in rows if row[1] == told]

        return self._read(find, budget)

    def _read(self, question: Callable[[Connection], T], budget: Budget) -> T:
        try:
            with (
                budget.spending() as left,
                self._store.read() as connection,
                briefly_limited(connection, left),
            ):
                return question(connection)
        except StoreUnavailable as error:
            if error.__cause__ is not None and is_too_slow(cause(error.__cause__)):
                raise budget.exceeded() from None
            raise MeasurementsUnavailable(f"{self.name}: {error}") from error


def _require_known(connection: Connection, kind: Kind, path: dict[str, str]) -> None:
    if selecting.ANY_TEST.row(connection, kind=kind) is None:
        raise NothingMeasured("No data in database")
    found = (statement.row(connection, kind=kind, **path) for statement in selecting.EITHER_END)
    if not any(row is not None for row in found):
        raise AddressesUnknown("", "")


def _signed(asked: Bounds) -> Bounds:
    return Bounds(asked.first - HALF, asked.last - HALF)


def _joined(of_tests: Sequence[Iterator[list[Row]]]) -> Iterator[Sequence[Row]]:
    """The pages of one test as they are; the rows of several in one order."""
    if len(of_tests) == 1:
        yield from of_tests[0]
        return
    rows = ((row for page in pages for row in page) for pages in of_tests)
    for row in heapq.merge(*rows, key=lambda one: int(one[0])):
        yield [row]
