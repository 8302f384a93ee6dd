"""The tables are what the program says, on both databases, and sinks have their own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

# Their tables are among the metadata with that.
import aggregator.store.pull_tables
import aggregator.store.report_tables
import aggregator.store.trigger_tables  # noqa: F401
from aggregator.errors import ConfigError, DeliverError, StoreUnavailable
from aggregator.store import archive_tables, pull_tables
from aggregator.store.engine import Store, open_store
from aggregator.store.migrate import migrate, migrate_sink, schema_is_current
from aggregator.store.sink_tables import StoreTables
from aggregator.store.tables import metadata
from aggregator.store.write import Write
from tests import stores
from tests.stores import added, keys, opened

store = stores.store
FIRST = ("CREATE TABLE sink_archive_document (id INTEGER PRIMARY KEY, body TEXT NOT NULL)",)
SECOND = (
    "CREATE TABLE sink_archive_mark (id INTEGER PRIMARY KEY)",
    "INSERT INTO sink_archive_mark SELECT id FROM sink_archive_document",
)


@pytest.fixture
def empty(database_url: str, tmp_path: Path) -> Iterator[Store]:
    """A store that was never migrated."""
    found = opened(database_url, tmp_path)
    yield found
    found.close()


def test_migrating_makes_what_the_program_expects(empty: Store) -> None:
    assert not schema_is_current(empty)
    migrate(empty)
    assert schema_is_current(empty)
    with empty.database.writing.connect() as connection:
        # A partition is no table of its own, whatever the catalogue says.
        whole = {"include_object": lambda _, name, *rest: not str(name).endswith("_default")}
        context = MigrationContext.configure(connection, opts={"compare_type": True, **whole})
        # Known to the one who looks, whatever else was imported by then.
        assert {archive_tables.archive_spans, pull_tables.pulled} <= set(metadata.sorted_tables)
        assert compare_metadata(context, metadata) == []
        foreign = {
            table: {key["referred_table"] for key in inspect(connection).get_foreign_keys(table)}
            for table in metadata.tables
        }
        assert foreign["entry_state"] == foreign["entry_data"] == {"entries"}


def test_migrating_again_changes_nothing(store: Store) -> None:
    entry = added(store)
    migrate(store)
    assert keys(store) == {entry.key}


def test_a_store_of_a_later_version_is_refused_by_name(store: Store) -> None:
    with store.database.writing.connect() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert not schema_is_current(store)
    with pytest.raises(ConfigError, match=r"9999.*it knows 0001, 0002, 0003"):
        migrate(store)


def test_a_step_that_fails_leaves_nothing(store: Store) -> None:
    steps = (("CREATE TABLE sink_x_a (id INTEGER)", "CREATE nonsense sink_x_b"),)
    with pytest.raises(StoreUnavailable, match="nonsense"):
        migrate_sink(store, "x", steps)
    with store.read() as connection:
        assert "sink_x_a" not in inspect(connection).get_table_names()
    migrate_sink(store, "x", ((steps[0][0],),))
    with store.read() as connection:
        assert "sink_x_a" in inspect(connection).get_table_names()


def test_a_sinks_steps_run_once_each_and_later_ones_follow(store: Store) -> None:
    def marks() -> int:
        ask = "SELECT count(*) FROM sink_archive_mark"
        return store.query(lambda connection: int(connection.exec_driver_sql(ask).scalar_one()))

    for _ in range(2):
        migrate_sink(store, "archive", (FIRST,))
    with store.database.writing.connect() as connection:
        connection.exec_driver_sql("INSERT INTO sink_archive_document VALUES (1, 'x')")
    for _ in range(2):
        migrate_sink(store, "archive", (FIRST, SECOND))
        assert marks() == 1


def test_a_sink_makes_no_tables_but_its_own(store: Store) -> None:
    with pytest.raises(ConfigError, match=r"sink archive names the table sink_other_x"):
        migrate_sink(store, "archive", (("CREATE TABLE IF NOT EXISTS sink_other_x (id INT)",),))


def test_a_sink_writes_in_the_transaction_and_reads_what_is_committed(store: Store) -> None:
    migrate_sink(store, "archive", (FIRST,))
    tables = StoreTables(store, "archive")
    tables.write("INSERT INTO sink_archive_document VALUES (:id, :body)", id=1, body="it's")
    tables.write("INSERT INTO sink_archive_document VALUES (:id, :body)", id=2, body="two")
    ask = "SELECT id, body FROM sink_archive_document WHERE id < :below ORDER BY id"
    assert asyncio.run(StoreTables(store, "archive").read(ask, below=9)) == []
    store.writer.run(tables.apply)
    found = asyncio.run(StoreTables(store, "archive").read(ask, below=9))
    assert found == [(1, "it's"), (2, "two")]


def test_a_sinks_mistake_is_its_own(store: Store) -> None:
    migrate_sink(store, "archive", (FIRST,))
    tables = StoreTables(store, "archive")
    tables.write("INSERT INTO sink_archive_document VALUES (1, 'one')")
    tables.write("INSERT INTO sink_archive_document VALUES (1, 'the same')")

    def unit(write: Write) -> str:
        write.change(1, 7, "content")
        with pytest.raises(DeliverError, match="archive"):
            tables.apply(write)
        write.change(1, 8, "content")
        return "went on"

    assert store.writer.run(unit) == "went on"
    assert [change.entry for change in stores.log_of(store)] == [7, 8]
    ask = "SELECT count(*) FROM sink_archive_document"
    assert asyncio.run(StoreTables(store, "archive").read(ask)) == [(0,)]


def test_a_bug_of_who_joins_is_its_own_too(store: Store) -> None:
    tables = StoreTables(store, "archive")
    tables.join(lambda write: write.connection.exec_driver_sql("DELETE FROM owners"))
    tables.join(lambda write: 1 // 0)

    def unit(write: Write) -> str:
        with pytest.raises(DeliverError, match="what the sink archive writes failed"):
            tables.apply(write)
        write.change(1, 8, "content")
        return "went on"

    assert store.writer.run(unit) == "went on"
    assert [change.entry for change in stores.log_of(store)] == [8]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://localhost/x", "'mysql' is no database that is spoken here"),
        ("nonsense", "expected an URL such as"),
        ("sqlite://", "in memory can't be shared"),
    ],
)
def test_an_url_that_is_none_of_ours_is_refused(url: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        open_store(url=url, data_dir=tmp_path, pool_size=1, busy_timeout=1, write_timeout=1)


@pytest.mark.postgresql
@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_the_usual_spellings_of_an_url_are_understood(tmp_path: Path, scheme: str) -> None:
    url = f"{scheme}://localhost:1/x"
    found = open_store(url=url, data_dir=tmp_path, pool_size=1, busy_timeout=1, write_timeout=1)
    try:
        assert found.database.reading.url.drivername == "postgresql+psycopg"
        with pytest.raises(StoreUnavailable):
            found.ping()
    finally:
        found.close()
