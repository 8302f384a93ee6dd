"""The older layout, with a table for each pair of nodes of a mesh, read in place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.errors import AddressesUnknown, MeasurementsUnavailable, NothingMeasured
from aggregator.store.measured_values import MeasuredTest, Throughput, Within
from tests.integration.test_measured_throughput import JUNE
from tests.measured_kit import KINDS, Laid, laid, ntp, times

A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.12"
TCP = (("protocol", "TCP"), ("timeDuration", "10"))
TEST = MeasuredTest("bwctl", A, B, TCP, (1, 3))
COLUMNS = {
    "ti": "id", "time": "instant", "throughput": "real", "jitter": "real", "lost": "count",
    "sent": "count",
}  # fmt: skip


def measured(database: Laid, table: str, *instants: int) -> None:
    database.create(table, COLUMNS, "ti")
    rows = [{"ti": at >> 32, "time": at, "throughput": 9.5e8} for at in instants]
    database.insert(table, rows)


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Laid]:
    with laid(request.param, "ami", tmp_path) as found:
        nodes = {"node_id": "id", "node_name": "text", "addr": "text"}
        found.create("nodes", nodes, "node_id")
        found.create("meshes", {"mesh_id": "id", "mesh_name": "text"}, "mesh_id")
        found.create("node_mesh_map", {"mesh_id": "id", "node_id": "id"}, "mesh_id, node_id")
        yield found


@pytest.fixture
def filled(database: Laid) -> Laid:
    """Three nodes in two meshes of TCP tests, and in one of another kind."""
    nodes = enumerate((("CHIC", A), ("NYCM", B), ('no`"d:e %s', C)), 1)
    database.insert(
        "nodes", [{"node_id": n, "node_name": name, "addr": addr} for n, (name, addr) in nodes]
    )
    meshes = {1: "TCP4", 2: "UDP4", 3: "more"}
    database.insert("meshes", [{"mesh_id": n, "mesh_name": name} for n, name in meshes.items()])
    database.insert(
        "node_mesh_map",
        [{"mesh_id": mesh, "node_id": node} for mesh in (1, 2, 3) for node in (1, 2, 3)],
    )
    measured(database, "BW_TCP4_CHIC_NYCM", ntp(JUNE), ntp(JUNE + 60, 5))
    measured(database, "BW_more_CHIC_NYCM", ntp(JUNE + 30))
    measured(database, "BW_UDP4_CHIC_NYCM", ntp(JUNE + 1))
    measured(database, 'BW_TCP4_CHIC_no`"d:e %s', ntp(JUNE + 2))
    measured(database, "BW_TCP4_NYCM_CHIC")
    return database


PARAMETERS = {"TCP4": TCP, "more": TCP, "UDP4": (("protocol", "UDP"),)}


def test_pairs_with_rows_are_tests_with_the_settings_of_their_meshes(filled: Laid) -> None:
    assert list(filled.opened(parameters=PARAMETERS).tests()) == [
        MeasuredTest("bwctl", A, C, TCP, (1,)),
        TEST,
        MeasuredTest("bwctl", A, B, (("protocol", "UDP"),), (2,)),
    ]
    assert [test.numbers for test in filled.opened().tests()] == [(1,), (1, 2, 3)]


def test_rows_of_all_meshes_come_in_order(filled: Laid) -> None:
    database = filled.opened(parameters=PARAMETERS)
    assert times(database, TEST) == [ntp(JUNE), ntp(JUNE + 30), ntp(JUNE + 60, 5)]
    within = Within(ntp(JUNE), ntp(JUNE + 60, 5), includes_end=True)
    assert times(database, TEST, within) == [ntp(JUNE + 30), ntp(JUNE + 60, 5)]
    (row,) = database.throughput(TEST._replace(numbers=(2,)), Within(), timeout=9)
    assert row == Throughput(ntp(JUNE + 1), 950000000.0, None, None, None)
    assert times(database, TEST._replace(destination=C)) == [ntp(JUNE + 2)]
    assert list(database.delays(TEST, Within(), buckets=True, timeout=9)) == []


def test_many_rows_come_in_pages(filled: Laid) -> None:
    rows = [{"ti": at >> 32, "time": at} for at in (ntp(JUNE - n) for n in range(1, 4100))]
    filled.insert("BW_UDP4_CHIC_NYCM", rows)
    found = times(filled.opened(), TEST._replace(numbers=(2,)))
    assert found == [ntp(JUNE - n) for n in range(4099, 0, -1)] + [ntp(JUNE + 1)]


def test_addresses_that_nobody_has_are_told(filled: Laid) -> None:
    database = filled.opened()
    with pytest.raises(AddressesUnknown):
        times(database, TEST._replace(source="10.0.0", destination="' OR 1 = 1 --"))
    assert times(database, TEST._replace(source="10.0.0")) == []


def test_what_is_not_there_is_told(database: Laid) -> None:
    with pytest.raises(NothingMeasured):
        times(database.opened(), TEST)
    assert list(database.opened().tests()) == []
    database.execute(f"DROP TABLE {database.quoted('meshes')}")
    with pytest.raises(MeasurementsUnavailable, match="meshes"):
        list(database.opened().tests())
