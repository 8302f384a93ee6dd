"""What is told of databases of measurements that can't be read, and what is not told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from aggregator.errors import ConfigError, MeasurementsTooSlow, MeasurementsUnavailable
from aggregator.store.measured_connections import Connections
from aggregator.store.measured_limits import Budget
from aggregator.store.measured_opening import open_measured
from aggregator.store.measured_values import MeasuredDatabase, Within
from tests.cut_proxy import CutProxy
from tests.integration.test_measured_throughput import JUNE, NODES, TEST
from tests.measured_kit import KINDS, UDP, Laid, laid, ntp, throughput_row, times
from tests.service import free_port

ENDLESS = {
    "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n",
    "postgresql": "SELECT x FROM generate_series(1, 10000000000) AS n(x)",
    "mariadb": (
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 100000)"
        " SELECT a.x FROM n a, n b, n c"
    ),
}


@pytest.fixture(params=KINDS)
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Laid]:
    with laid(request.param, "bwctl", tmp_path) as found:
        rows = [throughput_row(ntp(JUNE - n)) for n in range(1, 9)]
        found.add_set("200905", nodes=NODES, settings={201: UDP}, DATA=rows)
        yield found


@contextmanager
def locked(database: Laid) -> Iterator[None]:
    """The table of rows, kept from everybody as long as the block."""
    table = database.quoted("200905_DATA")
    begin, end = {
        "sqlite": ("BEGIN EXCLUSIVE", "ROLLBACK"),
        "postgresql": (f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE", "ROLLBACK"),
        "mariadb": (f"LOCK TABLES {table} WRITE", "UNLOCK TABLES"),
    }[database.kind]
    with database.engine.connect() as connection:
        connection.exec_driver_sql(begin)
        yield
        connection.exec_driver_sql(end)


def read(database: MeasuredDatabase, *, timeout: float) -> int:
    return len(list(database.throughput(TEST, Within(), timeout=timeout)))


def test_who_waits_for_a_lock_is_told_in_time(filled: Laid) -> None:
    database = filled.opened()
    assert read(database, timeout=5) == 8
    with locked(filled), pytest.raises(MeasurementsTooSlow, match=r"not read within 0\.3 s"):
        read(database, timeout=0.3)
    assert read(database, timeout=5) == 8


def test_a_statement_without_end_is_ended_by_the_database(filled: Laid) -> None:
    connections = Connections(filled.url, pool_size=1)
    try:
        with pytest.raises(MeasurementsTooSlow):
            connections.rows(f"SELECT count(*) FROM ({ENDLESS[filled.kind]}) s", Budget(0.3, "x"))
        # The next one finds the connection free and as it was.
        assert connections.rows("SELECT 1", Budget(5, "x")) == [(1,)]
    finally:
        connections.close()


def test_what_is_called_mysql_is_read_as_well(tmp_path: Path) -> None:
    with laid("mariadb", "bwctl", tmp_path) as database:
        rows = [throughput_row(ntp(JUNE - n)) for n in range(1, 9)]
        database.add_set("200905", nodes=NODES, settings={201: UDP}, DATA=rows)
        reader = open_measured(database.url.replace("mariadb", "mysql", 1), layout="bwctl")
        try:
            assert read(reader, timeout=5) == 8
            with locked(database), pytest.raises(MeasurementsTooSlow):
                read(reader, timeout=0.3)
        finally:
            reader.close()


def test_the_time_is_that_of_all_pages_together() -> None:
    budget = Budget(0.0, "somewhere")
    with pytest.raises(MeasurementsTooSlow, match="somewhere"), budget.spending():
        pytest.fail("nothing was left to spend")


def test_nothing_is_ever_written(filled: Laid) -> None:
    connections = Connections(filled.url, pool_size=1)
    table = filled.quoted("200905_DATA")
    try:
        with pytest.raises(MeasurementsUnavailable):
            connections.rows(f"DELETE FROM {table}", Budget(5, "x"))
    finally:
        connections.close()
    assert read(filled.opened(), timeout=5) == 8


def test_a_table_that_is_missing_is_named(filled: Laid) -> None:
    database = filled.opened()
    filled.execute(f"DROP TABLE {filled.quoted('200905_TESTSPEC')}")
    with pytest.raises(MeasurementsUnavailable, match="200905_TESTSPEC"):
        list(database.tests())
    filled.execute(f"DROP TABLE {filled.quoted('200905_DATA')}")
    for ask in (database.tests, lambda: times(database, TEST)):
        with pytest.raises(MeasurementsUnavailable, match="200905_DATA"):
            list(ask())
    filled.execute(f"DROP TABLE {filled.quoted('DATES')}")
    with pytest.raises(MeasurementsUnavailable, match="DATES"):
        read(database, timeout=5)


@pytest.mark.parametrize("date", [(2009, 13), (0, 1), (99999, 5), (9999, 12)])
def test_a_date_that_is_none_is_told(tmp_path: Path, date: tuple[int, int]) -> None:
    with laid("sqlite", "bwctl", tmp_path) as database:
        database.insert("DATES", [dict(zip(("year", "month"), date, strict=True))])
        with pytest.raises(MeasurementsUnavailable, match=f"{date[0]}-{date[1]}, which is no date"):
            read(database.opened(), timeout=5)


def test_instants_that_lost_their_last_bits_are_refused(tmp_path: Path) -> None:
    with laid("sqlite", "bwctl", tmp_path) as database:
        database.add_set("200905", nodes=NODES, settings={201: UDP}, DATA=[])
        at = ntp(JUNE - 9)
        database.execute(
            'INSERT INTO "200905_DATA" (send_id, recv_id, tspec_id, ti, timestamp)'
            f" VALUES (101, 102, 201, {at >> 32}, {at})"
        )
        with pytest.raises(MeasurementsUnavailable, match=r"200905_DATA\.timestamp holds 1\.48"):
            list(database.opened().tests())


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_server_that_went_is_read_again_when_it_is_back(kind: str, tmp_path: Path) -> None:
    with laid(kind, "bwctl", tmp_path) as direct:
        rows = [throughput_row(ntp(JUNE - 9))]
        direct.add_set("200905", nodes=NODES, settings={201: UDP}, DATA=rows)
        there = make_url(direct.url)
        port = there.port or (5432 if kind == "postgresql" else 3306)
        way = CutProxy(there.host or "127.0.0.1", port)
        url = there.set(host="127.0.0.1", port=way.port).render_as_string(hide_password=False)
        database = open_measured(url, layout="bwctl", pool_size=2)
        try:
            assert read(database, timeout=5) == 1
            way.cut()
            for _ in range(2):
                with pytest.raises(MeasurementsUnavailable, match="can't be reached"):
                    read(database, timeout=5)
            way.mend()
            assert read(database, timeout=5) == 1
            way.stall()
            with pytest.raises(MeasurementsUnavailable):
                read(database, timeout=0.2)
        finally:
            database.close()
            way.cut()


@pytest.mark.parametrize(
    "url",
    [
        "mariadb+pymysql://secretary:geheim@127.0.0.1:{port}/owamp",
        "postgresql+psycopg://secretary:geheim@127.0.0.1:{port}/owamp",
    ],
)
def test_a_server_that_is_away_is_no_error_until_it_is_read(url: str) -> None:
    database = open_measured(url.format(port=free_port()), layout="owamp")
    try:
        for ask in (database.tests, lambda: times(database, TEST._replace(kind="owamp"))):
            with pytest.raises(MeasurementsUnavailable, match="can't be reached") as caught:
                list(ask())
            assert_silent(caught.value)
    finally:
        database.close()


@pytest.mark.parametrize("kind", KINDS[1:])
def test_who_is_refused_is_not_told_by_name(kind: str, tmp_path: Path) -> None:
    with laid(kind, "bwctl", tmp_path) as direct:
        url = make_url(direct.url).set(username="secretary", password="geheim")
        shown = url.render_as_string(hide_password=False)
        database = open_measured(shown, layout="bwctl")
        try:
            with pytest.raises(MeasurementsUnavailable) as caught:
                list(database.tests())
        finally:
            database.close()
        assert_silent(caught.value)


def assert_silent(error: BaseException) -> None:
    assert "geheim" not in repr(error) + str(error)
    assert "secretary" not in repr(error) + str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("mariadb+pymysql://u:p@db.example.org/owamp", "DBI:mysql:owamp:db.example.org"),
        ("mysql+pymysql://u:p@/bwctl?unix_socket=/s", "DBI:mysql:bwctl:localhost"),
        (
            "postgresql+psycopg://u:p@db.example.org:5433/bw?options=-cx=y",
            "postgresql+psycopg://db.example.org:5433/bw",
        ),
        ("sqlite:////var/lib/bw.sqlite", "sqlite:////var/lib/bw.sqlite"),
    ],
)
def test_a_database_is_named_without_credentials(url: str, name: str) -> None:
    database = open_measured(url, layout="bwctl")
    assert database.name == name
    database.close()


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "oracle://u:geheim@h/n",
        "mariadb+nodriver://u:geheim@h/n",
        "mysql+pymysql://u:geheim@h/",
        "postgresql+pg8000://u:geheim@h/n",
        "sqlite://",
        "sqlite:///:memory:",
        "mariadb+pymysql://u:geheim@h:port/n",
    ],
)
def test_what_names_no_database_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigError, match="expected is an URL") as caught:
        open_measured(url, layout="bwctl")
    assert "geheim" not in str(caught.value)


def test_a_layout_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="bwctl, owamp or ami"):
        open_measured("sqlite:////x", layout="rrd")  # type: ignore[arg-type]


def test_a_file_that_is_missing_or_none_is_told(tmp_path: Path) -> None:
    database = open_measured(f"sqlite:///{tmp_path / 'gone'}", layout="bwctl")
    with pytest.raises(MeasurementsUnavailable, match="unable to open"):
        read(database, timeout=5)
    (tmp_path / "gone").write_text("no database at all" * 100)
    with pytest.raises(MeasurementsUnavailable, match="not a database"):
        read(database, timeout=5)
    database.close()


def test_threads_share_the_connections(filled: Laid) -> None:
    database = filled.opened(pool_size=2)
    counts: list[int] = []

    def ask() -> None:
        counts.extend(read(database, timeout=20) for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert counts == [8] * 120
