"""Random ranges over random samples: every database gives those that overlap, and no others."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aggregator.store.measured_own import OwnMeasurements
from aggregator.store.measured_values import Delay, MeasuredTest, Within
from tests.measured_kit import ONE_WAY, Laid, delay_row, laid, ntp, times
from tests.stores import opened, prepare

A, B = "10.0.0.1", "10.0.0.2"
TEST = MeasuredTest("owamp", A, B, (), (401,))
MIDNIGHT, DAY = 1282694400, 86400
DAYS = ("20100825", "20100826", "20100827")


def samples(chance: random.Random) -> list[tuple[int, int]]:
    """One after the other, as they are measured, over three days; a long one, and short ones."""
    at, found = ntp(MIDNIGHT), []
    while at < ntp(MIDNIGHT + 3 * DAY):
        length = chance.choice((1 << 32, (2 << 32) + 9, 60 << 32, 7200 << 32, 80000 << 32))
        found.append((at, at + length))
        at += length + chance.choice((0, 1, 5 << 32, 3600 << 32))
    return found


def expected(all_samples: list[tuple[int, int]], within: Within) -> list[int]:
    start = -1 if within.start is None else within.start - within.includes_start
    end = 2**64 if within.end is None else within.end + within.includes_end
    return [begins for begins, ends in all_samples if ends > start and begins < end]


def fill(database: Laid, all_samples: list[tuple[int, int]]) -> None:
    rows = {day: [] for day in DAYS}  # type: ignore[var-annotated]
    for begins, ends in all_samples:
        unix = (begins >> 32) - (ntp(0) >> 32)
        rows[f"{datetime.fromtimestamp(unix, UTC):%Y%m%d}"].append(delay_row(begins, ends))
        # Both days have a sample that is over midnight, but for every third one.
        after = datetime.fromtimestamp((ends >> 32) - (ntp(0) >> 32), UTC)
        if f"{after:%Y%m%d}" in DAYS and begins % 3 and after.day != rows_day(begins):
            rows[f"{after:%Y%m%d}"].append(delay_row(begins, ends))
    for day in DAYS:
        database.add_set(day, nodes={301: A, 302: B}, settings={401: ONE_WAY}, DATA=rows[day])


def rows_day(instant: int) -> int:
    return datetime.fromtimestamp((instant >> 32) - (ntp(0) >> 32), UTC).day


@pytest.mark.parametrize("seed", range(3))
def test_ranges_are_those_of_the_rule(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    there = samples(chance)
    store = opened("", tmp_path)
    prepare(store)
    own = OwnMeasurements(store)
    nothing = (None,) * 8
    own.add_delays(TEST, [Delay(*one, *nothing) for one in there])
    edges = [edge + more for one in there for edge in one for more in (-1, 0, 1)]
    edges += [ntp(MIDNIGHT + n * DAY) + more for n in range(-1, 5) for more in (-1, 0, 1)]
    with laid("sqlite", "owamp", tmp_path) as database:
        fill(database, there)
        foreign = database.opened()
        for _ in range(300):
            start, end = sorted(chance.choices(edges, k=2))
            within = Within(
                chance.choice((start, start, None)),
                chance.choice((end, end, None)),
                includes_start=chance.random() < 0.5,
                includes_end=chance.random() < 0.5,
            )
            wanted = expected(there, within)
            assert times(own, TEST._replace(numbers=()), within) == wanted, within
            assert times(foreign, TEST, within) == wanted, within
    store.close()
