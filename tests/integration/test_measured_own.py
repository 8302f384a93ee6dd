"""Measurements in the store: kept once, in order, and read a short range at a time."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from aggregator.errors import (
    AddressesUnknown,
    MeasurementsRefused,
    MeasurementsTooSlow,
    MeasurementsUnavailable,
    NothingMeasured,
)
from aggregator.store import measured_own, measured_writing
from aggregator.store.engine import Store
from aggregator.store.measured_own import OwnMeasurements
from aggregator.store.measured_values import Delay, MeasuredTest, Throughput, Within
from tests import databases, stores
from tests.measured_kit import ntp, times
from tests.stores import opened

store = stores.store
postgresql_url = databases.postgresql_url
A, B = "10.0.0.1", "10.0.0.2"
TCP = MeasuredTest("bwctl", A, B, (("protocol", "TCP"), ("timeDuration", "60")), ())
UDP = TCP._replace(parameters=(("protocol", "UDP"),))
ONE_WAY = MeasuredTest("owamp", A, B, (("count", "600"),), ())
NOON = 1282737600


@pytest.fixture
def own(store: Store) -> OwnMeasurements:
    return OwnMeasurements(store)


def sample(at: int, length: int = 60, **more: Any) -> Delay:
    """A sample of a minute."""
    return Delay(
        ntp(at, 7), ntp(at + length, 9), 0.0151153, 0.015151, 252, 252, 600, 0, 0, 0.0003
    )._replace(**more)


def test_what_was_added_is_read_as_it_was(own: OwnMeasurements, store: Store) -> None:
    rows = [
        Throughput(ntp(NOON, 2**32 - 1), 910234000.0, 0.002, None, 138890),
        Throughput(0, None),
        Throughput(2**64 - 1, 1.5, 0.0, 0, 2**63 - 1),
        Throughput(2**63, 2.5),
    ]
    assert own.add_throughput(TCP, iter(rows)) == 4
    again = OwnMeasurements(store)
    (test,) = again.tests()
    assert test == TCP._replace(numbers=test.numbers)
    assert list(again.throughput(test, Within(), timeout=9)) == sorted(rows)
    assert list(again.throughput(TCP, Within(), timeout=9)) == sorted(rows)
    assert again.name == "aggregator"
    again.close()
    assert store.query(lambda connection: True)


def test_delays_and_buckets_are_read_as_they_were(own: OwnMeasurements) -> None:
    rows = [
        sample(NOON, buckets=((-3, 1), (215, 599))),
        sample(NOON + 60, min_delay=None, max_ttl=None, sent=None, max_error=None),
        sample(NOON, length=61, buckets=((7, 600),)),
    ]
    assert own.add_delays(ONE_WAY, rows) == 3
    assert (
        list(own.delays(ONE_WAY, Within(), buckets=True, timeout=9))
        == sorted(rows[:1] + rows[2:]) + rows[1:2]
    )
    bare = [row.buckets for row in own.delays(ONE_WAY, Within(), buckets=False, timeout=9)]
    assert bare == [(), (), ()]


def test_what_is_there_stays_as_it_is(own: OwnMeasurements) -> None:
    assert own.add_throughput(TCP, [Throughput(ntp(NOON), 1.0)]) == 1
    assert (
        own.add_throughput(TCP, [Throughput(ntp(NOON), 2.0), Throughput(ntp(NOON + 1), 3.0)]) == 1
    )
    assert own.add_throughput(UDP, [Throughput(ntp(NOON), 4.0)]) == 1
    found = [row.throughput for row in own.throughput(TCP, Within(), timeout=9)]
    assert found == [1.0, 3.0]
    assert own.add_delays(ONE_WAY, [sample(NOON, buckets=((1, 600),))]) == 1
    assert own.add_delays(ONE_WAY, [sample(NOON, sent=1, buckets=((1, 9),))]) == 0
    (row,) = own.delays(ONE_WAY, Within(), buckets=True, timeout=9)
    assert (row.sent, row.buckets) == (600, ((1, 600),))


def test_no_rows_are_no_test(own: OwnMeasurements) -> None:
    assert own.add_throughput(TCP, []) == 0
    assert own.add_delays(ONE_WAY, []) == 0
    assert list(own.tests()) == []


def test_tests_come_by_address(own: OwnMeasurements) -> None:
    for number, path in enumerate([(B, A), (A, "10.0.0.12"), (A, B)]):
        test = TCP._replace(source=path[0], destination=path[1])
        own.add_throughput(test, [Throughput(ntp(NOON + number), 1.0)])
    own.add_delays(ONE_WAY, [sample(NOON)])
    assert [test[:3] for test in own.tests()] == [
        ("bwctl", A, "10.0.0.12"),
        ("bwctl", A, B),
        ("owamp", A, B),
        ("bwctl", B, A),
    ]


def test_ranges_are_those_of_any_other_database(own: OwnMeasurements) -> None:
    own.add_throughput(TCP, [Throughput(ntp(NOON + n), float(n)) for n in (0, 60, 120)])
    for within, count in {
        Within(ntp(NOON), ntp(NOON + 120)): 1,
        Within(ntp(NOON), ntp(NOON + 120), True, True): 3,
        Within(start=ntp(NOON), includes_start=True): 3,
        Within(end=ntp(NOON + 120)): 2,
        Within(ntp(NOON), ntp(NOON)): 0,
        Within(2**65, 2**66): 0,
    }.items():
        assert len(times(own, TCP, within)) == count, within
    own.add_delays(ONE_WAY, [sample(NOON, 600), *(sample(NOON + n) for n in (60, 120, 700))])
    begin, end = ntp(NOON, 7), ntp(NOON + 600, 9)
    for within, count in {
        Within(ntp(NOON + 300), ntp(NOON + 301)): 1,
        Within(ntp(NOON + 100), ntp(NOON + 130)): 3,
        Within(end - 1, end): 1,
        Within(end, end): 0,
        Within(end, end, True, True): 1,
        Within(None, begin): 0,
        Within(None, begin, includes_end=True): 1,
        Within(end, None): 1,
    }.items():
        assert len(times(own, ONE_WAY, within)) == count, within


def test_pages_are_joined_without_a_seam(
    own: OwnMeasurements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured_own, "_SIZE", 7)
    monkeypatch.setattr(measured_own, "_WITH_BUCKETS", 3)
    monkeypatch.setattr(measured_writing, "SIZE", 10)
    rows = [Throughput(ntp(NOON + n), float(n)) for n in range(50)]
    assert own.add_throughput(TCP, reversed(rows)) == 50
    assert list(own.throughput(TCP, Within(), timeout=9)) == rows
    # Several that begin at once are more than a page.
    samples = [sample(NOON + n // 5, 60 + n % 5, buckets=((n, 600),)) for n in range(48)]
    assert own.add_delays(ONE_WAY, samples) == 48
    assert list(own.delays(ONE_WAY, Within(), buckets=True, timeout=9)) == samples


def test_who_is_known_is_told(own: OwnMeasurements) -> None:
    with pytest.raises(NothingMeasured):
        times(own, TCP)
    own.add_throughput(TCP, [Throughput(ntp(NOON), 1.0)])
    for hostile in ("' OR '1'='1", "10.0.0", "10.0.0.12", "%", "ü", ""):
        with pytest.raises(AddressesUnknown):
            times(own, TCP._replace(source=hostile, destination=hostile))
        assert times(own, TCP._replace(source=hostile)) == []
    assert times(own, TCP._replace(source="\0")) == []
    assert times(own, TCP._replace(source=B, destination=A)) == []
    assert times(own, TCP._replace(numbers=(99,))) == []
    assert times(own, UDP) == []
    with pytest.raises(NothingMeasured):
        times(own, ONE_WAY)


@pytest.mark.parametrize(
    "row",
    [
        Throughput(-1, 1.0),
        Throughput(2**64, 1.0),
        Throughput(1.5, 1.0),  # type: ignore[arg-type]
        Throughput(5, float("inf")),
        Throughput(5, float("nan")),
        Throughput(5, 1.0, "x"),  # type: ignore[arg-type]
        Throughput(5, 1.0, None, -1),
        Throughput(5, 1.0, None, 2**63),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_kept(own: OwnMeasurements, row: Throughput) -> None:
    with pytest.raises(MeasurementsRefused, match="can't be kept"):
        own.add_throughput(TCP, [Throughput(4, 1.0), row])
    assert list(own.tests()) == []


def test_so_are_tests_and_samples_that_cannot_be(own: OwnMeasurements) -> None:
    with pytest.raises(MeasurementsRefused, match="bwctl"):
        own.add_delays(TCP, [sample(NOON)])
    for wrong in (
        TCP._replace(source=""),
        TCP._replace(destination="a\0b"),
        TCP._replace(parameters=(("protocol", "\ud800"),)),
    ):
        with pytest.raises(MeasurementsRefused, match="address or a setting"):
            own.add_throughput(wrong, [Throughput(5, 1.0)])
    for buckets in (((1, -1),), ((2**63, 1),)):
        with pytest.raises(MeasurementsRefused):
            own.add_delays(ONE_WAY, [sample(NOON, buckets=buckets)])
    with pytest.raises(MeasurementsRefused):
        own.add_delays(ONE_WAY, [sample(NOON, length=-1)])
    assert list(own.tests()) == []


def test_two_that_add_the_same_agree(
    own: OwnMeasurements, tmp_path: Path, database_url: str
) -> None:
    other = opened(database_url, tmp_path)
    rows = [Throughput(ntp(NOON + n), float(n)) for n in range(300)]
    counts: list[int] = []

    def add(measurements: OwnMeasurements) -> None:
        counts.append(
            sum(measurements.add_throughput(TCP, rows[n : n + 30]) for n in range(0, 300, 30))
        )

    threads = [threading.Thread(target=add, args=(one,)) for one in (own, OwnMeasurements(other))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    other.close()
    assert sum(counts) == 300
    assert list(own.throughput(TCP, Within(), timeout=9)) == rows


def test_a_store_that_is_away_is_told(own: OwnMeasurements, store: Store) -> None:
    own.add_throughput(TCP, [Throughput(ntp(NOON), 1.0)])
    with store.database.writing.connect() as connection:
        connection.exec_driver_sql("DROP TABLE measured_throughput")
    with pytest.raises(MeasurementsUnavailable):
        times(own, TCP)


@pytest.mark.postgresql
def test_who_waits_for_too_long_is_told(postgresql_url: str, tmp_path: Path) -> None:
    store = opened(postgresql_url, tmp_path)
    stores.prepare(store)
    own = OwnMeasurements(store)
    own.add_throughput(TCP, [Throughput(ntp(NOON), 1.0)])
    plain = make_url(postgresql_url).set(drivername="postgresql")
    with psycopg.connect(plain.render_as_string(hide_password=False)) as session:
        session.execute("LOCK TABLE measured_throughput")
        with pytest.raises(MeasurementsTooSlow, match=r"0\.3 s"):
            list(own.throughput(TCP, Within(), timeout=0.3))
        session.rollback()
    assert times(own, TCP) == [ntp(NOON)]
    with store.read() as connection:
        # What others have of the connection is as it was.
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() != "300ms"
    store.close()
