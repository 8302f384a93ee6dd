"""Numbers over time, of origins that hold nothing else: consolidated as asked for, and told.

Here `resolution` and `consolidationFunction` take effect: of the request, else of the stored key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from aggregator.measurement import datum
from aggregator.measurement.origins import Asked, NoData
from aggregator.measurement.stored import StoredData, StoredMetadata
from aggregator.store.measured_values import Throughput, Within
from aggregator.wire.nmwg_times import UNIX_EPOCH

Number = tuple[int, float]
"""An instant, and what was measured then."""

#: What consolidates many numbers into one, by its name in requests and stored keys.
FUNCTIONS: dict[str, Callable[[Sequence[float]], float]] = {
    "AVERAGE": lambda values: sum(values) / len(values),
    "MIN": min,
    "MAX": max,
    "LAST": lambda values: values[-1],
}
_SECOND = 1 << 32


def function_for(data: StoredData, asked: Asked) -> str:
    """AVERAGE, MIN, MAX or LAST; raises NoData for another one."""
    wanted = asked.times.consolidation or data.one("consolidationFunction") or "AVERAGE"
    if wanted.upper() not in FUNCTIONS:
        known = ", ".join(FUNCTIONS)
        raise NoData(
            f'consolidationFunction "{wanted[:40]}" is not supported; supported are {known}.'
        )
    return wanted.upper()


def resolution_for(data: StoredData, asked: Asked) -> int:
    """Seconds that one number stands for; 0 where nobody says so."""
    stored = data.one("resolution")
    is_number = stored.isascii() and stored.isdecimal() and len(stored) < 10
    said = asked.times.resolution or (int(stored) if is_number else 0)
    return said or asked.default_resolution


def consolidated(rows: Iterable[Number], width: int, function: str) -> Iterator[Number]:
    """One number for each `width` seconds, at their end; those without any are left out."""
    of = FUNCTIONS[function]
    step = width * _SECOND
    epoch = UNIX_EPOCH * _SECOND

    def end(row: Number) -> int:
        return -((epoch - row[0]) // step) * step + epoch

    for instant, group in groupby(rows, end):
        yield instant, of([value for _, value in group])


def at(seconds: int) -> int:
    """The instant of whole seconds since 1970."""
    return (seconds + UNIX_EPOCH) * _SECOND


def seconds_of(instant: int) -> int:
    """Whole seconds from 1970 to an instant."""
    return (instant >> 32) - UNIX_EPOCH


def is_within(instant: int, within: Within) -> bool:
    """Whether an instant belongs to a time range."""
    start, end = within.start, within.end
    if start is not None and (instant < start or (instant == start and not within.includes_start)):
        return False
    return end is None or instant < end or (instant == end and within.includes_end)


def told(
    rows: Iterable[Number], metadata: StoredMetadata, data: StoredData, asked: Asked
) -> Iterator[bytes]:
    """``iperf:datum`` where the metadata says that throughput was measured, else ``nmwg:datum``."""
    if metadata.kind == "bwctl":
        found = (Throughput(instant, value) for instant, value in rows)
        return datum.throughputs(found, time_type=asked.time_type)
    return datum.values(rows, time_type=asked.time_type, units=data.one("valueUnits"))
