"""The sets of tables of a perfSONAR database: one for each month or day that DATES lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from aggregator.errors import MeasurementsUnavailable
from aggregator.store.measured_ntp import SECOND, Bounds
from aggregator.wire.nmwg_times import UNIX_EPOCH

DAY = 86400


class TableSet(NamedTuple):
    """The tables of a month or a day: what their names begin with, from which second (of NTP) on
    what they hold was measured, and until which."""

    prefix: str
    begins: int
    ends: int
    lower: bool = False

    def table(self, what: str) -> str:
        """The name of one of its tables."""
        return f"{self.prefix}_{what.lower() if self.lower else what}"


def table_sets(dates: Iterable[Sequence[Any]], name: str) -> list[TableSet]:
    """Those of rows of DATES, in the order of time. Names are made of whole numbers alone."""
    return sorted((_table_set(row, name) for row in dates), key=lambda one: one.begins)


def _table_set(row: Sequence[Any], name: str) -> TableSet:
    try:
        numbers = [int(value) for value in row]
        year, month, day = (*numbers, 1)[:3]
        first = datetime(year, month, day, tzinfo=UTC)
        after = _next_month(first) if len(numbers) == 2 else first + timedelta(days=1)
    except (TypeError, ValueError, OverflowError):
        shown = "-".join(str(value) for value in row)
        raise MeasurementsUnavailable(f"{name}: DATES holds {shown}, which is no date") from None
    prefix = f"{year:04d}{month:02d}" + "".join(f"{number:02d}" for number in numbers[2:])
    return TableSet(prefix, _second(first), _second(after))


def _next_month(first: datetime) -> datetime:
    return (first + timedelta(days=31)).replace(day=1)


def _second(instant: datetime) -> int:
    return int(instant.timestamp()) + UNIX_EPOCH


def within(sets: Iterable[TableSet], bounds: Bounds, *, longest: int) -> list[TableSet]:
    """Those that may hold something of a time; what began in one took `longest` seconds at most."""
    first, last = bounds.first // SECOND, bounds.last // SECOND
    return [one for one in sets if one.begins <= last and first < one.ends + longest]
