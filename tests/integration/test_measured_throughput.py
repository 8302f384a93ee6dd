"""Databases of throughput with a set of tables for each month, read in place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.errors import AddressesUnknown, NothingMeasured
from aggregator.store.measured_values import MeasuredTest, Throughput, Within
from tests.measured_kit import KINDS, TCP, UDP, Laid, laid, ntp, throughput_row, times

A, B, LIKE_A = "10.0.0.1", "10.0.0.2", "10.0.0.12"
NODES = {101: A, 102: B, 103: LIKE_A}
TOLD_UDP = (
    ("protocol", "UDP"),
    ("windowSize", "1"),
    ("bandwidthLimit", "900"),
    ("bufferLength", "8192"),
    ("timeDuration", "10"),
)
TOLD_TCP = (("protocol", "TCP"), ("windowSize", "4"), ("timeDuration", "60"))
TEST = MeasuredTest("bwctl", A, B, TOLD_UDP, (201, 209))
#: The first second of June 2009.
JUNE = 1243814400


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Laid]:
    with laid(request.param, "bwctl", tmp_path) as found:
        yield found


@pytest.fixture
def filled(database: Laid) -> Laid:
    """May with two measurements, the last in its last second; June with one in its first."""
    settings = {201: UDP, 202: TCP, 203: {"duration": 60, "udp": 0}}
    database.add_set(
        "200905",
        nodes=NODES,
        settings=settings,
        DATA=[
            throughput_row(ntp(JUNE - 1, 2**32 - 1)),
            throughput_row(ntp(JUNE - 3600), jitter=0.003),
            throughput_row(ntp(JUNE - 3600), (103, 102, 201), throughput=1.0),
        ],
    )
    database.add_set(
        "200906",
        nodes=NODES,
        settings={**settings, 209: UDP},
        DATA=[
            throughput_row(ntp(JUNE), (101, 102, 209), jitter=None, sent=None),
            throughput_row(ntp(JUNE + 5), (101, 102, 202)),
        ],
    )
    return database


class TestTests:
    def test_those_with_rows_are_told_with_all_their_numbers(self, filled: Laid) -> None:
        assert list(filled.opened().tests()) == [
            TEST,
            MeasuredTest("bwctl", A, B, TOLD_TCP, (202,)),
            MeasuredTest("bwctl", LIKE_A, B, TOLD_UDP, (201,)),
        ]

    def test_what_came_since_is_found(self, filled: Laid) -> None:
        database = filled.opened()
        before = len(list(database.tests()))
        filled.insert("200906_DATA", [throughput_row(ntp(JUNE + 9), (102, 101, 203))])
        filled.add_set("200907", nodes=NODES, settings={}, DATA=[])
        found = list(database.tests())
        assert len(found) == before + 1
        assert found[-1][1:4] == (B, A, (("protocol", "TCP"), ("timeDuration", "60")))

    def test_an_id_of_nothing_is_no_test(self, database: Laid) -> None:
        rows = [throughput_row(ntp(JUNE - 9), path) for path in ((101, 102, 999), (7, 102, 201))]
        rows.append(throughput_row(ntp(JUNE - 8), (101, 104, 201)))
        nodes = {**NODES, 104: None}
        database.add_set("200905", nodes=nodes, settings={201: UDP}, DATA=rows)  # type: ignore[arg-type]
        assert list(database.opened().tests()) == []


class TestReading:
    def test_rows_of_all_months_come_in_order(self, filled: Laid) -> None:
        database = filled.opened()
        assert list(database.throughput(TEST, Within(), timeout=9)) == [
            Throughput(ntp(JUNE - 3600), 910234000.0, 0.003, None, 138890),
            Throughput(ntp(JUNE - 1, 2**32 - 1), 910234000.0, 0.002, None, 138890),
            Throughput(ntp(JUNE), 910234000.0, None, None, None),
        ]

    def test_bounds_belong_to_a_range_where_it_says_so(self, filled: Laid) -> None:
        database = filled.opened()
        asked = {
            Within(ntp(JUNE - 3600), ntp(JUNE)): 1,
            Within(ntp(JUNE - 3600), ntp(JUNE), includes_start=True): 2,
            Within(ntp(JUNE - 3600), ntp(JUNE), includes_end=True): 2,
            Within(ntp(JUNE - 3600), ntp(JUNE), True, True): 3,
            Within(start=ntp(JUNE - 1, 2**32 - 1)): 1,
            Within(start=ntp(JUNE - 1, 2**32 - 2)): 2,
            Within(end=ntp(JUNE)): 2,
            Within(ntp(JUNE), ntp(JUNE), True, True): 1,
            Within(ntp(JUNE), ntp(JUNE)): 0,
            Within(ntp(JUNE), ntp(JUNE - 3600)): 0,
            Within(-1, 2**70): 3,
            Within(0, 0): 0,
            Within(2**65, None): 0,
        }
        assert {within: len(times(database, TEST, within)) for within in asked} == asked

    def test_a_month_outside_of_the_range_is_not_read(self, filled: Laid) -> None:
        filled.execute(f"DROP TABLE {filled.quoted('200906_DATA')}")
        assert len(times(filled.opened(), TEST, Within(end=ntp(JUNE)))) == 2

    def test_an_address_is_matched_whole(self, filled: Laid) -> None:
        assert times(filled.opened(), TEST._replace(source=LIKE_A)) == [ntp(JUNE - 3600)]
        for near in ("10.0.0", "10.0.0.1 ", "10.0.0.%", "10.0.0._"):
            assert times(filled.opened(), TEST._replace(source=near)) == []

    def test_capitals_matter_whatever_the_collation(self, database: Laid) -> None:
        nodes = {101: "node.example.org", 102: B}
        rows = [throughput_row(ntp(JUNE - 9))]
        database.add_set("200905", nodes=nodes, settings={201: UDP}, DATA=rows)
        test = TEST._replace(source="Node.example.org")
        assert times(database.opened(), test) == []
        assert len(times(database.opened(), test._replace(source="node.example.org"))) == 1

    def test_a_hostile_address_is_one_that_nobody_has(self, filled: Laid) -> None:
        database = filled.opened()
        for text in (
            "' OR '1'='1",
            "x'; DROP TABLE DATES; --",
            '"',
            "\\'",
            "`",
            "%",
            "\0",
            "ü",
            "\ud800",
            "",
            ":asked",
        ):
            with pytest.raises(AddressesUnknown, match='found "" for SRC and "" for DST'):
                times(database, TEST._replace(source=text, destination=text))
            assert times(database, TEST._replace(source=text)) == []
        assert len(times(database, TEST)) == 3

    def test_one_known_end_is_no_error_and_none_is_one(self, filled: Laid) -> None:
        assert times(filled.opened(), TEST._replace(destination="192.0.2.1")) == []
        with pytest.raises(AddressesUnknown):
            times(filled.opened(), TEST._replace(source="192.0.2.2", destination="192.0.2.1"))

    def test_a_test_of_other_numbers_or_kind_has_no_rows(self, filled: Laid) -> None:
        database = filled.opened()
        assert times(database, TEST._replace(numbers=(5,))) == []
        assert times(database, TEST._replace(numbers=())) == []
        assert times(database, TEST._replace(numbers=(-1, 2**70))) == []
        of_delays = TEST._replace(kind="owamp")
        assert times(database, of_delays) == []

    def test_no_dates_are_no_measurements(self, database: Laid) -> None:
        with pytest.raises(NothingMeasured, match="No data in database"):
            times(database.opened(), TEST)
        assert list(database.opened().tests()) == []

    def test_many_rows_come_in_pages_each_once(self, database: Laid) -> None:
        """In each second two of them, by two nodes of one address, the later one first."""
        rows = [
            throughput_row(ntp(JUNE - 2600 + n // 2, 5 - n % 2), (101 + 3 * (n % 2), 102, 201))
            for n in range(5001)
        ]
        nodes = {101: A, 104: A, 102: B}
        database.add_set("200905", nodes=nodes, settings={201: UDP}, DATA=rows)
        found = times(database.opened(pool_size=1), TEST)
        assert found == sorted(row["timestamp"] for row in rows)

    def test_no_connection_is_held_between_pages(self, database: Laid) -> None:
        rows = [throughput_row(ntp(JUNE - 4000 + n)) for n in range(4000)]
        database.add_set("200905", nodes=NODES, settings={201: UDP}, DATA=rows)
        reader = database.opened(pool_size=1)
        first, second = (reader.throughput(TEST, Within(), timeout=5) for _ in range(2))
        pairs = zip(first, second, strict=True)
        assert all(one == other for one, other in pairs)


@pytest.mark.postgresql
def test_names_that_a_server_made_small_are_found(tmp_path: Path) -> None:
    with laid("postgresql", "bwctl", tmp_path) as database:
        rows = [throughput_row(ntp(JUNE - 9))]
        database.add_set("200905", nodes=NODES, settings={201: UDP}, DATA=rows)
        for name in ("DATES", "200905_DATA", "200905_NODES", "200905_TESTSPEC"):
            database.execute(f'ALTER TABLE "{name}" RENAME TO "{name.lower()}"')
        reader = database.opened()
        assert [test.numbers for test in reader.tests()] == [(201,)]
        assert len(times(reader, TEST)) == 1
