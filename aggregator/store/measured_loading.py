"""Measurements of files, put into the tables of our own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from aggregator.store.measured_files import Rows, read_folder
from aggregator.store.measured_own import OwnMeasurements
from aggregator.store.measured_values import Delay, MeasuredTest, Throughput

#: Told how many measurements were written, of how many; while files are checked, of None.
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was loaded: how many tests, measurements of throughput, samples of delays; how many of
    the measurements were not there before."""

    tests: int
    throughput: int
    delays: int
    new: int


def load_folder(
    folder: Path, own: OwnMeasurements, *, progress: Progress = lambda done, total: None
) -> Loaded:
    """Put what the files of a folder hold into the store; what is there already stays as it is.

    All files are read once before anything is written. Raises MeasurementsRefused where something
    is wrong with one, StoreUnavailable where the store takes no more; to load again is no harm.
    """
    counts = {"bwctl": 0, "owamp": 0}
    tests = set()
    for test, rows in read_folder(folder):
        tests.add(test[:4])
        counts[test.kind] += len(rows)
        progress(sum(counts.values()), None)
    done = new = 0
    for test, rows in read_folder(folder):
        new += _add(own, test, rows)
        done += len(rows)
        progress(done, sum(counts.values()))
    return Loaded(len(tests), counts["bwctl"], counts["owamp"], new)


def _add(own: OwnMeasurements, test: MeasuredTest, rows: Rows) -> int:
    if test.kind == "bwctl":
        return own.add_throughput(test, cast("list[Throughput]", rows))
    return own.add_delays(test, cast("list[Delay]", rows))
