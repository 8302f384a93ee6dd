"""Where streams are kept: files, memory, servers, other drivers, and what is wrong with others."""

from __future__ import annotations

import gc
import os
import pickle
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, make_url
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.pg8000 import PGDialect_pg8000

from aggregator.errors import StoreUnavailable, StreamerUnusable, StreamRefused
from aggregator.streams import SqliteDataStreamer
from tests import databases, streams_kit
from tests.streams_kit import Recorder, begin, logging_to, store

postgresql_url = databases.postgresql_url
place, kept_place, streamer = streams_kit.place, streams_kit.kept_place, streams_kit.streamer


class OwnSchema(PGDialect_pg8000):
    """Another driver than the project's, in the schema of a test."""

    supports_statement_cache = True

    def create_connect_args(self, url: URL) -> Any:
        options = str(url.query["options"])
        arguments, named = super().create_connect_args(url.set(query={}))
        return arguments, {**named, "startup_params": {"options": options}}


registry.register("postgresql.pg8000_own_schema", __name__, "OwnSchema")


def works(place: str, **options: Any) -> None:
    """Store, stream with a filter, go on after a restart, remove."""
    messenger = Recorder()
    for turn in "ab":
        with logging_to(place, **options) as streamer:
            begin(streamer, sqlfilter="msg LIKE 'X%' AND level IN (20, 30)")
            store(streamer, f"x{turn}", "y")
            streamer.do_updates(1, messenger)
            assert streamer.do_updates(1, messenger) == 6
    assert messenger.last() == ["xa", "xb"]


@pytest.mark.postgresql
def test_another_driver_works(postgresql_url: str) -> None:
    works(postgresql_url.replace("+psycopg", "+pg8000_own_schema"))


def test_a_file_may_be_given_as_url(tmp_path: Path) -> None:
    path = tmp_path / "streams.db"
    works(f"sqlite:///{path}")
    works(f"sqlite+pysqlite:///{tmp_path / 'other.db'}")
    with SqliteDataStreamer(url=f"sqlite:///{path}") as streamer:
        streamer.add_storage("logkey", streams_kit.KEYS, streams_kit.TYPES)
    for memory in ("sqlite://", "sqlite:///:memory:", make_url("sqlite://")):
        with SqliteDataStreamer(url=memory) as streamer:
            streamer.add_storage("k", [], [])


def test_a_relative_file_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with logging_to("streams.db") as streamer:
        monkeypatch.chdir("/")
        store(streamer, "a")
        begin(streamer)
        streamer.do_updates(1, Recorder())
    assert (tmp_path / "streams.db").exists()


WRONG = [
    ("", "names no database"),
    ("a\0b", "names no database"),
    (7, "7 names no database"),
    ("nosuch://user:geheim@host/name", "names no database that can be used"),
    ("mysql+nosuch://user:geheim@host/name", "names no database that can be used"),
    ("postgresql+psycopg://user:geheim@host:port/name", "names no database that can be used"),
    ("file:streams.db?mode=memory", "an URI of SQLite's own"),
]


@pytest.mark.parametrize(("given", "complaint"), WRONG, ids=range(len(WRONG)))
def test_what_names_no_database_is_refused(given: Any, complaint: str) -> None:
    with pytest.raises(StreamRefused, match=complaint) as raised:
        SqliteDataStreamer(given)
    assert "geheim" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_place_has_to_be_named_once() -> None:
    for options in ({}, {"sqlitename": "a.db", "url": "sqlite://"}):
        with pytest.raises(StreamRefused, match="give either sqlitename"):
            SqliteDataStreamer(**options)
    with pytest.raises(StreamRefused, match="timeout must be above zero"):
        SqliteDataStreamer(":memory:", timeout=0)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, but long enough to be looked at " * 20)
    for path in (tmp_path / "notes.txt", tmp_path):
        with pytest.raises(StoreUnavailable, match=r"opening .*: "):
            SqliteDataStreamer(path)


@pytest.mark.postgresql
def test_a_server_that_is_away_is_told_without_its_password() -> None:
    with pytest.raises(StoreUnavailable, match="can't be reached") as raised:
        SqliteDataStreamer("postgresql+psycopg://user:geheim@127.0.0.1:1/name", timeout=1)
    assert "geheim" not in str(raised.value)


def test_a_database_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "streams.db"
    SqliteDataStreamer(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE mds_stream_version SET version = 2")
        connection.commit()
    with pytest.raises(StreamRefused, match="of version 2 of streams, and this program knows 1"):
        SqliteDataStreamer(path)


def test_a_table_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "streams.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE Measurements (time REAL)")
        connection.commit()
    with SqliteDataStreamer(path) as streamer:
        for key in ("Measurements", "measurements"):
            with pytest.raises(StreamRefused, match="that is no storage of streams"):
                streamer.add_storage(key, [], [])


def test_a_table_that_somebody_dropped_is_made_anew(tmp_path: Path) -> None:
    path, messenger = str(tmp_path / "streams.db"), Recorder()
    with logging_to(path) as streamer:
        store(streamer, "gone")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE logkey")
        connection.commit()
    with logging_to(path) as streamer:
        begin(streamer)
        assert store(streamer, "new")[0].endswith(".2")
        streamer.do_updates(1, messenger)
    assert messenger.last() == ["new"]


HOSTILE = [
    'x"; DROP TABLE logkey; --',
    "x'y",
    "a b",
    "",
    "é",
    "1a",
    "a.b",
    "a%sb",
    "a:b",
    "x" * 64,
    "a\0",
    7,
    None,
]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_names_that_are_none_are_refused(streamer: SqliteDataStreamer, name: Any) -> None:
    with pytest.raises(StreamRefused, match="can't name a table"):
        streamer.add_storage(name, [], [])
    with pytest.raises(StreamRefused, match="can't name a column"):
        streamer.add_storage("other", [name], ["TEXT"])
    with pytest.raises(StreamRefused, match="is none that is known"):
        streamer.add_storage("other", ["a"], [name])


def test_tables_and_columns_that_are_ours_or_the_database_s_are_refused(
    streamer: SqliteDataStreamer,
) -> None:
    for key in ("sqlite_master", "MDS_stream_positions", "pg_class"):
        with pytest.raises(StreamRefused, match="are not for rows"):
            streamer.add_storage(key, [], [])
    for column in ("time", "Time", "stream_row"):
        with pytest.raises(StreamRefused, match="is there already"):
            streamer.add_storage("other", [column], ["REAL"])
    with pytest.raises(StreamRefused, match="is there already"):
        streamer.add_storage("other", ["a", "A"], ["REAL", "REAL"])
    with pytest.raises(StreamRefused, match="PostgreSQL has in every table"):
        streamer.add_storage("other", ["xmin"], ["REAL"])
    with pytest.raises(StreamRefused, match="there are 1 keys and 2 types"):
        streamer.add_storage("other", ["a"], ["REAL", "REAL"])
    with pytest.raises(StreamRefused, match="keys must be a list"):
        streamer.add_storage("other", "ab", ["REAL", "REAL"])
    with pytest.raises(StreamRefused, match="are too many"):
        streamer.add_storage("other", [f"c{n}" for n in range(500)], ["REAL"] * 500)
    for kind in ("VARCHAR(0)", "VARCHAR(-1)", "REAL); DROP TABLE x", "INTEGER PRIMARY KEY"):
        with pytest.raises(StreamRefused, match="the type of 'a'"):
            streamer.add_storage("other", ["a"], [kind])
    with pytest.raises(StreamRefused, match="the storage 'logkey' is there already"):
        streamer.add_storage("LogKey", streams_kit.KEYS, streams_kit.TYPES)


def test_reserved_words_are_names_like_others(streamer: SqliteDataStreamer) -> None:
    keys = ["index", "group", "order", "select", "user", "rowid", "oid", "a-b", "Level", "_"]
    messenger = Recorder()
    streamer.add_storage("table", keys, ["TEXT"] * len(keys))
    streamer.store_data("table", 1, *keys)
    streamer.stream("table", None, None, None, 1, lambda rows, _: rows, "\"a-b\" = 'a-b'")
    streamer.do_updates(1, messenger)
    assert messenger.rows() == [[1.0, *keys]]
    assert streamer.columns("table") == ["time", *keys]


def test_a_streamer_that_was_closed_says_so(place: str) -> None:
    streamer = SqliteDataStreamer(place)
    streamer.add_storage("k", [], [])
    for _ in range(2):
        streamer.close()
    for call in (
        lambda: streamer.store_data("k", 1),
        lambda: streamer.do_updates(1, Recorder()),
        lambda: streamer.add_storage("k", [], []),
        streamer.status,
    ):
        with pytest.raises(StreamerUnusable, match="was closed"):
            call()


def test_a_streamer_that_is_forgotten_is_closed(tmp_path: Path) -> None:
    before = threading.active_count()
    store_of = []
    for place in (":memory:", str(tmp_path / "streams.db")):
        streamer = SqliteDataStreamer(place)
        streamer.add_storage("k", [], [])
        store_of.append(streamer._store)
        del streamer
    gc.collect()
    assert threading.active_count() == before
    for one in store_of:
        with pytest.raises(StoreUnavailable, match="is closed"):
            one.writer.run(lambda write: None)


def test_it_can_not_be_pickled() -> None:
    with (
        SqliteDataStreamer(":memory:") as streamer,
        pytest.raises(TypeError, match="make one in each process"),
    ):
        pickle.dumps(streamer)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_after_a_fork_the_child_is_told_and_the_parent_goes_on(kept_place: str) -> None:
    with logging_to(kept_place) as streamer:
        store(streamer, "before")
        child = os.fork()
        if child == 0:
            try:
                store(streamer, "in the child")
            except StreamerUnusable as error:
                streamer.close()
                os._exit(7 if "make one in each process" in str(error) else 1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        store(streamer, "after")
        begin(streamer)
        messenger = Recorder()
        streamer.do_updates(1, messenger)
    assert messenger.last() == ["before", "after"]


def test_who_reads_memory_first_disturbs_nobody_who_writes() -> None:
    with SqliteDataStreamer(":memory:") as streamer:
        streamer.add_storage("k", [], [])
        is_writing, may_end = threading.Event(), threading.Event()

        def unit(write: Any) -> None:
            write.wrote = True
            write.connection.exec_driver_sql("UPDATE mds_stream_storages SET last = 7")
            is_writing.set()
            may_end.wait(10)

        future = streamer._store.writer.submit(unit)
        assert is_writing.wait(10)
        reading = threading.Thread(target=streamer._store.ping)
        reading.start()
        reading.join(0.2)
        assert reading.is_alive(), "it has to wait"
        may_end.set()
        future.result(10)
        reading.join()
        assert streamer.store_data("k", 1).endswith(".8")
