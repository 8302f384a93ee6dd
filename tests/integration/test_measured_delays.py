"""Databases of one-way delays with a set of tables for each day, read in place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.errors import AddressesUnknown, NothingMeasured
from aggregator.store.measured_values import Delay, MeasuredTest, Within
from tests.measured_kit import KINDS, ONE_WAY, Laid, bucket_rows, delay_row, laid, ntp, times

A, B = "10.0.0.1", "10.0.0.2"
NODES = {301: A, 302: B, 303: "10.0.0.12"}
TOLD = (
    ("count", "10800"),
    ("bucket_width", "0.0001"),
    ("schedule", '<interval type="exp">0.1</interval>'),
)
TEST = MeasuredTest("owamp", A, B, TOLD, (401,))
#: Midnight before 26 August 2010.
MIDNIGHT = 1282780800
NOON = MIDNIGHT - 43200


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Laid]:
    with laid(request.param, "owamp", tmp_path) as found:
        yield found


def samples(*beginnings: int, length: int = 60) -> list[dict[str, object]]:
    """Samples of a minute that begin and end within seconds."""
    return [delay_row(ntp(at, 7), ntp(at + length, 9)) for at in beginnings]


@pytest.fixture
def filled(database: Laid) -> Laid:
    """Three samples at noon; one over midnight that both days have; one of the day after."""
    noon = samples(NOON, NOON + 60, NOON + 300)
    over, after = samples(MIDNIGHT - 30, MIDNIGHT + 30)
    of_both = bucket_rows(over, 150, {1: 600})
    delays = [
        *of_both,
        *bucket_rows(noon[0], 151, {5: 100, 0: 400, -2: 100}),
        *bucket_rows(noon[1], 150, {1: 600}),
    ]
    settings = {401: ONE_WAY, 402: ONE_WAY | {"dscp": 8, "loss_timeout": 0.5, "packet_padding": 40}}
    database.add_set("20100825", nodes=NODES, settings=settings, DATA=[*noon, over], DELAY=delays)
    database.add_set(
        "20100826",
        nodes=NODES,
        settings=settings,
        DATA=[over, after, {**after, "tspec_id": 402, "send_id": 303}],
        DELAY=of_both,
    )
    return database


def test_tests_are_told_as_clients_know_them(filled: Laid) -> None:
    more = (("DSCP", "8"), ("timeout", "0.5"), ("packet_padding", "40"))
    assert list(filled.opened().tests()) == [
        TEST,
        MeasuredTest("owamp", "10.0.0.12", B, (*TOLD, *more), (402,)),
    ]


def test_samples_come_in_order_and_once(filled: Laid) -> None:
    database = filled.opened()
    begun = [NOON, NOON + 60, NOON + 300, MIDNIGHT - 30, MIDNIGHT + 30]
    assert times(database, TEST) == [ntp(at, 7) for at in begun]
    first = next(database.delays(TEST, Within(), buckets=False, timeout=9))
    assert first == Delay(
        ntp(NOON, 7), ntp(NOON + 60, 9), 0.0151153, 0.015151, 252, 252, 600, 0, 0, 0.000340462
    )


def test_a_sample_is_within_a_range_that_it_overlaps(filled: Laid) -> None:
    database = filled.opened()
    begin, end = ntp(NOON, 7), ntp(NOON + 60, 9)
    asked = {
        Within(ntp(NOON + 20), ntp(NOON + 320)): 3,
        Within(ntp(NOON + 20), ntp(NOON + 30)): 1,
        Within(end, begin + 2**40): 1,
        Within(end, end): 1,
        Within(end, end, True, True): 2,
        Within(None, begin): 0,
        Within(None, begin, includes_end=True): 1,
        Within(end - 1, end): 2,
        Within(end, ntp(NOON + 70)): 1,
        Within(end, ntp(NOON + 70), includes_start=True): 2,
        Within(start=ntp(MIDNIGHT)): 2,
        Within(ntp(MIDNIGHT), ntp(MIDNIGHT + 10)): 1,
        Within(ntp(MIDNIGHT - 10), ntp(MIDNIGHT - 5)): 1,
        Within(start=ntp(MIDNIGHT + 86400)): 0,
        Within(end=ntp(NOON)): 0,
    }
    assert {within: len(times(database, TEST, within)) for within in asked} == asked


def test_a_sample_that_only_the_day_before_has_is_found(filled: Laid) -> None:
    table = filled.quoted("20100826_DATA")
    filled.execute(f"DELETE FROM {table} WHERE si < {(MIDNIGHT + 2208988800)}")
    asked = Within(ntp(MIDNIGHT), ntp(MIDNIGHT + 10))
    assert times(filled.opened(), TEST, asked) == [ntp(MIDNIGHT - 30, 7)]


def test_days_outside_of_the_range_are_not_read(filled: Laid) -> None:
    for what in ("DATA", "NODES"):
        filled.execute(f"DROP TABLE {filled.quoted(f'20100826_{what}')}")
    assert len(times(filled.opened(), TEST, Within(end=ntp(MIDNIGHT)))) == 4


def test_buckets_are_counted_from_their_base(filled: Laid) -> None:
    found = list(filled.opened().delays(TEST, Within(), buckets=True, timeout=9))
    assert [one.buckets for one in found] == [
        ((149, 100), (151, 400), (156, 100)),
        ((151, 600),),
        (),
        ((151, 600),),
        (),
    ]


def test_many_samples_come_in_pages_with_their_buckets(database: Laid) -> None:
    rows = samples(*range(NOON, NOON + 450), length=1)
    rows += [delay_row(ntp(NOON + 3, 8), ntp(NOON + 5))]
    delays = [line for n, row in enumerate(rows) for line in bucket_rows(row, n, {0: 500, 1: 100})]
    database.add_set("20100825", nodes=NODES, settings={401: ONE_WAY}, DATA=rows, DELAY=delays)
    found = list(database.opened(pool_size=1).delays(TEST, Within(), buckets=True, timeout=30))
    assert [one.start for one in found] == sorted(row["stimestamp"] for row in rows)  # type: ignore[type-var]
    assert [one.buckets[0][0] for one in found] == [0, 1, 2, 3, 450, *range(4, 450)]
    assert {sum(count for _, count in one.buckets) for one in found} == {600}


def test_nobody_known_and_nothing_kept_are_told(filled: Laid, tmp_path: Path) -> None:
    nobody = TEST._replace(source="192.0.2.1", destination="192.0.2.2")
    with pytest.raises(AddressesUnknown):
        times(filled.opened(), nobody)
    assert times(filled.opened(), nobody, Within(start=ntp(MIDNIGHT + 10**6))) == []
    assert times(filled.opened(), TEST._replace(kind="bwctl")) == []
    filled.execute(f"DELETE FROM {filled.quoted('DATES')}")
    with pytest.raises(NothingMeasured):
        times(filled.opened(), TEST)
