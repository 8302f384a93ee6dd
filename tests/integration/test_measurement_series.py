"""Numeric series of an archive as an origin of measurements, on each kind of database."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from aggregator.archive import history
from aggregator.archive.history import History, Wanted
from aggregator.errors import (
    MeasurementsTooSlow,
    MeasurementsUnavailable,
    StoreUnavailable,
)
from aggregator.measurement.numbers import at as instant_of
from aggregator.measurement.origins import NoData
from aggregator.measurement.series_origin import SeriesOrigin
from aggregator.store.archive_condensing import condense
from aggregator.store.archive_retention import Day
from aggregator.store.archive_series_reading import Bucket
from aggregator.store.engine import Store
from aggregator.wire.times import show_ahead
from tests.integration.archive_kit import MORNING, SECOND, arrival, at, keep
from tests.integration.origin_kit import IPERF, asking, data, numbers, stored
from tests.stores import store  # noqa: F401

HOUR = 3600
BEGIN = MORNING // SECOND
OF_ENTRY = stored(type="series", group="A", series="load", entry="k1", valueUnits="1/s")


@pytest.fixture
def origin(store: Store) -> SeriesOrigin:  # noqa: F811
    """An archive with ten numbers of an entry, a minute apart, and one of another member."""
    for number in range(10):
        keep(store, arrival("x", at(60 * number), load=float(number), other=-1.0))
    keep(store, arrival("y", at(90), key="k2", member="http://m2/s", load=100.0))
    return SeriesOrigin(History(store))


def minutes(*numbers: int, step: int = 60) -> dict[float, float]:
    """The numbers of these minutes."""
    return {float(BEGIN + step * one): float(one) for one in numbers}


def test_without_a_resolution_each_number_is_told(origin: SeriesOrigin) -> None:
    assert numbers(origin, OF_ENTRY, asking()) == minutes(*range(10))
    [(name, first), *_] = data(origin, OF_ENTRY, asking())
    assert (name, first["valueUnits"]) == ("nmwg:datum", "1/s")


def test_a_range_leaves_its_bounds_out_unless_they_are_included(origin: SeriesOrigin) -> None:
    asked = asking(BEGIN + 60, BEGIN + 240)
    assert numbers(origin, OF_ENTRY, asked) == minutes(2, 3)
    start, end = asked.times.start, asked.times.end
    assert start is not None
    assert end is not None
    times = asked.times._replace(
        start=start._replace(is_included=True), end=end._replace(is_included=True)
    )
    assert numbers(origin, OF_ENTRY, asked._replace(times=times)) == minutes(1, 2, 3, 4)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("", [2.0, 7.0]),
        ("AVERAGE", [2.0, 7.0]),
        ("min", [0.0, 5.0]),
        ("MAX", [4.0, 9.0]),
        ("LAST", [4.0, 9.0]),
    ],
)
def test_resolution_and_function_take_effect(
    origin: SeriesOrigin, function: str, expected: list[float]
) -> None:
    found = numbers(origin, OF_ENTRY, asking(resolution=300, function=function))
    assert found == {BEGIN + 300.0 * n: value for n, value in enumerate(expected)}


def test_within_a_range_no_number_outside_of_it_counts(origin: SeriesOrigin) -> None:
    asked = asking(BEGIN + 60, BEGIN + 420, resolution=300, function="MIN")
    assert list(numbers(origin, OF_ENTRY, asked).values()) == [2.0, 5.0]
    asked = asking(BEGIN + 60, BEGIN + 420, resolution=300, function="MAX")
    assert list(numbers(origin, OF_ENTRY, asked).values()) == [4.0, 6.0]


def test_another_function_is_told(origin: SeriesOrigin) -> None:
    with pytest.raises(NoData, match='consolidationFunction "SUM" is not supported'):
        data(origin, OF_ENTRY, asking(function="SUM"))


def test_a_member_is_found_by_its_address(origin: SeriesOrigin, store: Store) -> None:  # noqa: F811
    ours = stored(group="A", series="load", address="http://m2/s")
    assert numbers(origin, ours, asking()) == {BEGIN + 90.0: 100.0}
    keep(store, arrival("z", at(30), key="k3", member="http://m2/s", load=50.0))
    keep(store, arrival("z", at(90), key="k4", member="http://m2/s", load=200.0))
    assert numbers(origin, ours, asking()) == {BEGIN + 30.0: 50.0, BEGIN + 90.0: 150.0}
    found = numbers(origin, ours, asking(resolution=HOUR, function="MAX"))
    assert found == {float(BEGIN): 200.0}
    both = stored(group="A", series="load", address="http://m2/s", entry="k3")
    assert numbers(origin, both, asking()) == {BEGIN + 30.0: 50.0}


def test_throughput_is_told_as_clients_know_it(origin: SeriesOrigin) -> None:
    ours = stored(IPERF, group="A", series="load", entry="k2")
    [(name, first)] = data(origin, ours, asking())
    assert (name, first["throughput"]) == ("iperf:datum", "100")


@pytest.mark.parametrize(
    "parameters",
    [
        {"group": "A", "series": "none", "entry": "k1"},
        {"group": "B", "series": "load", "entry": "k1"},
        {"group": "A", "series": "load", "entry": "' OR 1=1 --"},
        {"group": "A", "series": "load", "address": "%"},
        {"group": "A", "entry": "k1"},
    ],
)
def test_what_is_not_there_is_nothing(origin: SeriesOrigin, parameters: dict[str, str]) -> None:
    for resolution in (0, 60):
        assert data(origin, stored(**parameters), asking(resolution=resolution)) == []


def test_a_key_that_names_nobody_is_told_to_the_operator(origin: SeriesOrigin) -> None:
    with pytest.raises(MeasurementsUnavailable, match="neither an entry nor an address"):
        data(origin, stored(group="A", series="load"), asking())
    with pytest.raises(MeasurementsUnavailable, match="no group is named 'C'"):
        data(origin, stored(group="C", series="load", entry="k1"), asking())


@pytest.mark.parametrize(("start", "end"), [(None, 0), (2**31, None), (None, BEGIN), (5, 5)])
def test_outside_of_the_time_there_is_nothing(
    origin: SeriesOrigin, start: int | None, end: int | None
) -> None:
    for resolution in (0, 1, 10**9 - 1):
        assert data(origin, OF_ENTRY, asking(start, end, resolution=resolution)) == []


def test_many_come_in_pages(origin: SeriesOrigin, monkeypatch: pytest.MonkeyPatch) -> None:
    for page in (1, 2, 3, 10, 11):
        monkeypatch.setattr(history, "_PAGE", page)
        assert numbers(origin, OF_ENTRY, asking()) == minutes(*range(10))
        asked = asking(resolution=120, function="MIN")
        assert numbers(origin, OF_ENTRY, asked) == minutes(0, 2, 4, 6, 8)
        asked = asking(BEGIN + 30, BEGIN + 400, resolution=120, function="MIN")
        assert list(numbers(origin, OF_ENTRY, asked).values()) == [1.0, 2.0, 4.0, 6.0]


def test_a_gap_of_years_takes_no_questions(
    origin: SeriesOrigin,
    store: Store,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep(store, arrival("late", at(900 * 86400), load=10.0))
    asked: list[object] = []
    original = Store.query
    monkeypatch.setattr(
        Store, "query", lambda self, what: (asked.append(what), original(self, what))[1]
    )
    found = numbers(origin, OF_ENTRY, asking(resolution=1))
    assert len(found) == 11
    assert len(asked) < 15


def test_what_was_condensed_is_told_by_its_buckets(
    origin: SeriesOrigin,
    store: Store,  # noqa: F811
) -> None:
    keep(store, arrival("next", at(86400 + 60), load=7.0))
    day = Day(1, MORNING, 0, 0, 0)
    store.writer.run(partial(condense, day=day, after=0, width=HOUR * SECOND, most=10_000))
    found = numbers(origin, OF_ENTRY, asking())
    assert found == {float(BEGIN): 4.5, BEGIN + 86460.0: 7.0}
    assert numbers(origin, OF_ENTRY, asking(function="MAX"))[BEGIN] == 9.0
    found = numbers(origin, OF_ENTRY, asking(resolution=2 * 86400, function="LAST"))
    assert found == {float(BEGIN): 7.0}


def test_times_are_those_of_the_day_where_the_clock_was_set(origin: SeriesOrigin) -> None:
    show_ahead(lambda: 3600 * SECOND)
    try:
        found = numbers(origin, OF_ENTRY, asking(BEGIN + 3600 + 60))
        assert found == {one + 3600: value for one, value in minutes(*range(2, 10)).items()}
    finally:
        show_ahead(lambda: 0)


def test_microseconds_come_back_as_they_were_told(store: Store) -> None:  # noqa: F811
    origin = SeriesOrigin(History(store))
    keep(store, arrival("x", MORNING + 1, load=1.0), arrival("y", MORNING + 999_999, load=2.0))
    for wanted in (1.0, 2.0):
        found = data(origin, OF_ENTRY, asking())
        [text] = [one["timeValue"] for _, one in found if float(one["value"]) == wanted]
        seconds, _, low = text.partition(".")
        exact = instant_of(int(seconds)) + int(low)
        asked = asking(BEGIN, BEGIN)
        start = asked.times.start
        assert start is not None
        for included, expected in ((True, [wanted]), (False, [])):
            one = start._replace(instant=exact, is_included=included)
            times = asked.times._replace(start=one, end=one)
            told = data(origin, OF_ENTRY, asked._replace(times=times))
            assert [float(each["value"]) for _, each in told] == expected


def test_time_and_trouble_are_told() -> None:
    class Endless:
        def numbers(self, wanted: Wanted, *, width: int = 0) -> Iterator[tuple[int, Bucket]]:
            while True:
                yield 1, Bucket(1, 1.0, 1.0, 1.0, 1.0, 1)

    class Away:
        def numbers(self, wanted: Wanted, *, width: int = 0) -> Iterator[tuple[int, Bucket]]:
            raise StoreUnavailable("away")

    with pytest.raises(MeasurementsTooSlow):
        data(SeriesOrigin(Endless()), OF_ENTRY, asking(timeout=0.2))
    with pytest.raises(MeasurementsUnavailable, match="away"):
        data(SeriesOrigin(Away()), OF_ENTRY, asking())
