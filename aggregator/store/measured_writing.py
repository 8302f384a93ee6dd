"""Adding measurements to the store: in small transactions, and nothing twice."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import bindparam, update

from aggregator.errors import MeasurementsRefused
from aggregator.store.many_rows import inserting
from aggregator.store.measured_ntp import ALL, HALF
from aggregator.store.measured_selecting import OF_PATH
from aggregator.store.measured_tables import (
    measured_buckets,
    measured_delays,
    measured_tests,
    measured_throughput,
)
from aggregator.store.measured_values import Delay, Kind, MeasuredTest, Throughput
from aggregator.store.statement import Statement
from aggregator.store.upsert import or_nothing
from aggregator.store.write import Write

Values = tuple[Any, ...]
#: Rows of one transaction.
SIZE = 1000
#: What a TTL stays below: it is one byte of a packet.
_HOPS = 256

_COLUMNS = [column.name for column in measured_tests.columns if column.name != "id"]
ENTER = Statement(or_nothing(measured_tests), columns=_COLUMNS)
LENGTHEN = Statement(
    update(measured_tests)
    .where(measured_tests.c.id == bindparam("of"), measured_tests.c.longest < bindparam("length"))
    .values(longest=bindparam("length"))
)
KEEP_THROUGHPUT = inserting(measured_throughput, unless_there=True)
KEEP_DELAYS = inserting(measured_delays, unless_there=True)
KEEP_BUCKETS = inserting(measured_buckets, unless_there=True)


def settings_text(test: MeasuredTest) -> str:
    """The settings of a test as they are kept."""
    return json.dumps(test.parameters, separators=(",", ":"))


class Prepared(NamedTuple):
    """Measurements of one test that were checked, on their way into the store."""

    test: MeasuredTest
    rows: Sequence[Values]
    keep: Callable[[Write, int, Sequence[Values]], int]

    def into(self, write: Write) -> int:
        """Keep all of them in one transaction; how many were not there before."""
        return self.keep(write, _number(write, self.test), self.rows) if self.rows else 0

    def batches(self) -> Iterator[Prepared]:
        """The same in pieces that keep no other writer waiting for long."""
        for start in range(0, len(self.rows), SIZE):
            yield self._replace(rows=self.rows[start : start + SIZE])


def throughput(test: MeasuredTest, rows: Iterable[Throughput]) -> Prepared:
    """Measurements of throughput; raises MeasurementsRefused for values that can't be kept."""
    _check_test(test, "bwctl")
    values = []
    for row in rows:
        _check(row, instants=row[:1], reals=row[1:3], counts=row[3:5])
        values.append((row[0] - HALF, *row[1:]))
    return Prepared(test, values, _keep_throughput)


def _keep_throughput(write: Write, number: int, rows: Sequence[Values]) -> int:
    return write.insert(KEEP_THROUGHPUT, [(number, *one) for one in rows])


def delays(test: MeasuredTest, rows: Iterable[Delay]) -> Prepared:
    """Samples of delays with their buckets; raises as `throughput` does."""
    _check_test(test, "owamp")
    values = []
    for row in rows:
        _check(
            row,
            instants=row[:2],
            reals=(row.min_delay, row.max_delay, row.max_error),
            hops=row[4:6],
            counts=(*row[6:9], *(n for _, n in row.buckets)),
            places=[place for place, _ in row.buckets],
        )
        values.append((row[0] - HALF, row[1] - HALF, *row[2:]))
    return Prepared(test, values, _keep_delays)


def _keep_delays(write: Write, number: int, rows: Sequence[Values]) -> int:
    length = min(HALF - 1, max(one[1] - one[0] for one in rows))
    write.run(LENGTHEN, of=number, length=length)
    buckets = chain.from_iterable(
        ((number, *one[:2], place, count) for place, count in one[-1]) for one in rows
    )
    write.insert(KEEP_BUCKETS, list(buckets))
    return write.insert(KEEP_DELAYS, [(number, *one[:-1]) for one in rows])


def _number(write: Write, test: MeasuredTest) -> int:
    """The id of a test, which is entered where it is new."""
    path = {"kind": test.kind, "source": test.source, "destination": test.destination}
    settings = settings_text(test)
    found = _numbers(write, path)
    if settings not in found:
        write.run(ENTER, **path, settings=settings, longest=0)
        found = _numbers(write, path)
    return found[settings]


def _numbers(write: Write, path: dict[str, str]) -> dict[str, int]:
    return {row[1]: row[0] for row in OF_PATH.rows(write.connection, **path)}


def _check_test(test: MeasuredTest, kind: Kind) -> None:
    if test.kind != kind:
        raise MeasurementsRefused(f"a test of kind {test.kind} has no measurements of {kind}")
    texts = (test.source, test.destination, *chain.from_iterable(test.parameters))
    if not test.source or not test.destination or not all(map(_is_text, texts)):
        raise MeasurementsRefused(
            f"a test from {test.source!r} to {test.destination!r} has an address or a setting that"
            " is empty or holds what is no character"
        )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


def _check(
    row: Sequence[Any],
    *,
    instants: Sequence[Any],
    reals: Sequence[Any],
    counts: Sequence[Any],
    hops: Sequence[Any] = (),
    places: Sequence[Any] = (),
) -> None:
    """Raise MeasurementsRefused for a row with a value that can't be."""
    is_good = (
        all(isinstance(one, int) and 0 <= one < ALL for one in instants)
        and instants[0] <= instants[-1]
        and all(one is None or _is_finite(one) for one in reals)
        and all(one is None or (isinstance(one, int) and 0 <= one < HALF) for one in counts)
        and all(one is None or (isinstance(one, int) and 0 <= one < _HOPS) for one in hops)
        and all(isinstance(one, int) and -HALF <= one < HALF for one in places)
    )
    if not is_good:
        raise MeasurementsRefused(
            f"{row!r} can't be kept: instants are NTP's 64 bits, the end not before the beginning,"
            " counts are whole numbers from 0 on, a TTL is at most 255, and no number is infinite"
        )


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
