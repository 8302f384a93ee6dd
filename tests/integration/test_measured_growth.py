"""What reading costs as a database grows: counted in rows that the server looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from aggregator.store.measured_values import MeasuredTest, Within
from tests.integration.test_measured_throughput import JUNE, NODES, TOLD_UDP
from tests.measured_kit import UDP, Laid, laid, ntp, throughput_row

TEST = MeasuredTest("bwctl", "10.0.0.1", "10.0.0.2", TOLD_UDP, (201,))
#: Rows of the hour that is asked for.
ASKED = 60


def grown(database: Laid, rows: int) -> None:
    """A month of so many rows, a few seconds apart, and one path's measurements at its end."""
    last = [throughput_row(ntp(JUNE - 60 * n)) for n in range(1, ASKED + 1)]
    database.add_set("200905", nodes=NODES, settings={201: UDP}, DATA=last)
    table, begin = database.quoted("200905_DATA"), ntp(JUNE - 2000000) >> 32
    database.execute(
        f"INSERT INTO {table} (send_id, recv_id, tspec_id, ti, timestamp, throughput)"
        f" SELECT 101 + 2 * mod(seq, 2), 102, 201, {begin} + seq, ({begin} + seq) * 4294967296, 1"
        f" FROM seq_1_to_{rows}"
    )
    database.execute(f"ANALYZE TABLE {table}")


def looked_at(database: Laid) -> int:
    """How many rows and entries of indexes the reader's one connection has read so far."""
    (reader,) = database._opened
    connections = reader._connections  # type: ignore[attr-defined]
    with connections._engine.connect() as connection:
        found = connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Handler_read%%'").fetchall()
    return sum(int(count) for _, count in found)


@pytest.mark.parametrize("rows", [10_000, 100_000])
def test_an_hour_and_a_second_look_for_tests_cost_the_same(tmp_path: Path, rows: int) -> None:
    with laid("mariadb", "bwctl", tmp_path) as database:
        grown(database, rows)
        reader = database.opened(pool_size=1)
        assert len(list(reader.tests())) == 2
        first = looked_at(database)
        assert rows <= first < 1.2 * rows + 500, "the index is looked through once"
        assert len(list(reader.tests())) == 2
        again = looked_at(database)
        assert again - first < 100
        database.insert("200905_DATA", [throughput_row(ntp(JUNE - 1))])
        assert len(list(reader.tests())) == 2
        newer = looked_at(database)
        assert newer - again < 5 * ASKED + 200
        within = Within(ntp(JUNE - 3600), ntp(JUNE), includes_start=True)
        assert len(list(reader.throughput(TEST, within, timeout=9))) == ASKED + 1
        assert looked_at(database) - newer < 5 * ASKED + 200
