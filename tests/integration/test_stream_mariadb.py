"""Streams in MariaDB: the same rows, values and filters as elsewhere."""

from __future__ import annotations

import math
import os
import threading
import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import URL, NullPool, create_engine, make_url
from sqlalchemy.exc import OperationalError

from aggregator.errors import StreamValueError
from aggregator.streams import Retention, SqliteDataStreamer
from tests import streams_kit
from tests.integration import test_stream_values
from tests.integration.test_stream_places import works
from tests.streams_kit import Recorder, begin, logging_to, store

VARIABLE = "AGGREGATOR_TEST_MARIADB"
DEFAULT = "mariadb+pymysql://root@127.0.0.1:3306/test"


def execute(url: URL, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(statement)


@pytest.fixture
def place() -> Iterator[str]:
    """An empty database of a server, gone at the end; skips where there is no server."""
    server = make_url(os.environ.get(VARIABLE, "") or DEFAULT)
    name = f"test_{uuid.uuid4().hex}"
    try:
        execute(server, f"CREATE DATABASE {name}")
    except OperationalError as error:
        pytest.skip(f"no MariaDB server at {VARIABLE} ({server}): {error.orig}")
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        execute(server, f"DROP DATABASE {name}")


def test_rows_are_stored_and_streamed_and_gone_on_with(place: str) -> None:
    works(place.replace("mariadb", "mysql", 1))


def test_values_come_back_as_from_any_other(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    finite = [one for one in test_stream_values.TAKEN if one[1] != math.inf]
    monkeypatch.setattr(test_stream_values, "TAKEN", finite)
    kinds = test_stream_values.KINDS
    with SqliteDataStreamer(place) as streamer:
        streamer.add_storage("values", list(kinds), list(kinds.values()))
        test_stream_values.test_what_is_stored_comes_back_plain(streamer)
        large = ["x" * 2**20, None, None, None, None, None, b"\0" * 2**20, None, None, None]
        streamer.store_data("values", 2.5, *large)
        messenger = Recorder()
        streamer.stream("values", None, None, None, 1, streams_kit.as_it_is, sqlfilter="time > 2")
        streamer.do_updates(9, messenger)
        assert messenger.rows() == [[2.5, *large]]
        with pytest.raises(StreamValueError, match="infinite, which MariaDB can't keep"):
            test_stream_values.stored(streamer, "real", -math.inf)


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("msg = 'x'", ["x"]),
        ("msg = 'x '", ["x "]),
        ("msg IN ('X', 'ü')", ["X", "ü"]),
        ("msg < 'a'", ["X", "50%\\", ""]),
        ("length(msg) = 1", ["x", "X", "ü"]),
        ("msg LIKE 'X%'", ["x", "X", "x "]),
        ("msg LIKE '%/%\\%' ESCAPE '/'", ["50%\\"]),
        ("msg = ''", [""]),
        ("NOT (level > 5 OR msg LIKE '%x%') AND name IS NOT NULL", ["ü", "50%\\", ""]),
        ("coalesce(trim(msg), '') = 'x'", ["x", "x "]),
    ],
)
def test_filters_mean_the_same(place: str, condition: str, found: list[str]) -> None:
    messenger = Recorder()
    with logging_to(place) as streamer:
        store(streamer, "x", "X", "x ", "ü", "50%\\", "", level=5)
        begin(streamer, sqlfilter=condition)
        streamer.do_updates(1, messenger)
    assert messenger.last() == found


def test_several_begin_at_the_same_time(place: str) -> None:
    barrier, errors = threading.Barrier(3), []

    def program() -> None:
        barrier.wait(10)
        try:
            with logging_to(place) as streamer:
                begin(streamer)
                store(streamer, "x")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=program) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    messenger = Recorder()
    with logging_to(place) as streamer:
        begin(streamer)
        streamer.do_updates(1, messenger)
    assert messenger.last() == ["x"] * 3


def test_many_threads_and_two_programs_store_in_order(place: str) -> None:
    messenger = Recorder()
    with logging_to(place) as one, logging_to(place) as other:
        begin(one, period=1, name="a", batch_size=7)
        begin(one, period=1, name="A")
        threads = [
            threading.Thread(target=lambda to=to: [store(to, str(n)) for n in range(10)])
            for to in (one, one, other, other)
        ]
        for thread in threads:
            thread.start()
        for now in range(5):
            one.do_updates(now, messenger)
        for thread in threads:
            thread.join()
        for now in range(10, 15):
            one.do_updates(now, messenger)
        assert sorted(messenger.last()) == sorted(str(n) for n in range(10) for _ in range(8))
        begin(other, period=1, name="a")
        store(one, "later")
        one.do_updates(20, Recorder())
        assert [status.taken_over for status in one.status()] == [True, False]


def test_old_rows_and_rows_at_fault_go(place: str) -> None:
    def formatter(rows: list[list[object]], userdata: object) -> object:
        if rows[0][-1] == "poison":
            raise ValueError("can't be formatted")
        return rows

    messenger = Recorder()
    with logging_to(place, retention=Retention(age=60)) as streamer:
        begin(streamer, period=1, formatter=formatter, set_aside_after=1, batch_size=1)
        store(streamer, "future", at=1e12)
        store(streamer, "poison", "good", at=100)
        for now in range(150, 155):
            streamer.do_updates(now, messenger)
        assert [one.row for one in streamer.set_aside("logkey")] == [2]
        streamer.do_updates(165, messenger)
        assert streamer.set_aside("logkey") == []
        begin(streamer, name="looking")
        last = Recorder()
        streamer.do_updates(166, last)
    assert messenger.last() == ["future", "good"]
    assert last.last() == ["future"]
