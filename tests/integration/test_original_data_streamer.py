"""What the text that the data streamer was made after says of it, sentence by sentence."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from aggregator.errors import StorageUnknown, StreamRefused, StreamValueError
from aggregator.streams import SqliteDataStreamer
from tests import streams_kit
from tests.integration import original_streamer
from tests.integration.original_streamer import KEYS, NODE, TYPES, LoggingAgent, store
from tests.streams_kit import Recorder, as_it_is

place = streams_kit.place
logstream, messenger = original_streamer.logstream, original_streamer.messenger


def test_the_example_works_as_it_is_written(
    logstream: SqliteDataStreamer, messenger: Recorder
) -> None:
    store(logstream, "too quiet", level=10)
    store(logstream, "loud", level=30)
    userdata = {"level": 20}
    dstnodes, dstgroups, period, sql = "n1,n2", {"data"}, 5, "level >= 20"
    formatter = LoggingAgent().formatter
    logstream.stream(
        "logkey",
        dstnodes,
        dstgroups,
        ["data", "log"],
        period,
        formatter,
        sqlfilter=sql,
        userdata=userdata,
    )
    assert logstream.doUpdates(100, messenger) == 105
    ((message, nodes, groups, docks),) = messenger.sent
    rows = [[1.5, "root", "Main", 30, "agent.py", 7, "loud", None]]
    assert yaml.safe_load(message) == {NODE: {"index": ["time", *KEYS], "data": rows}}
    assert (nodes, groups, docks) == ("n1,n2", {"data"}, ["data", "log"])
    assert logstream.stopStream("logkey") is userdata


def test_sqlitename_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "below" / "logging.db"
    for name in (str(path), path):
        with SqliteDataStreamer(sqlitename=name) as logstream:
            logstream.addStorage("logkey", KEYS, TYPES)
            store(logstream, "kept")
    assert path.read_bytes().startswith(b"SQLite format 3")
    assert path.stat().st_mode & 0o077 == 0


def test_memory_is_an_own_database_that_all_threads_share(messenger: Recorder) -> None:
    with (
        SqliteDataStreamer(sqlitename=":memory:", threadHack=True) as one,
        SqliteDataStreamer(":memory:", True) as other,
    ):
        for logstream in (one, other):
            logstream.addStorage("logkey", KEYS, TYPES)
            logstream.stream("logkey", None, None, None, 1, as_it_is)
        thread = threading.Thread(target=store, args=(one, "from a thread"))
        thread.start()
        thread.join()
        other.doUpdates(1, messenger)
        assert messenger.sent == []
        one.doUpdates(1, messenger)
        assert [row[6] for row in messenger.rows()] == ["from a thread"]


@pytest.mark.parametrize("hack", [True, False])
def test_threadHack_or_not_any_thread_may_do_anything(
    place: str, hack: bool, messenger: Recorder
) -> None:
    logstream = SqliteDataStreamer(sqlitename=place, threadHack=hack)
    steps = [
        lambda: logstream.addStorage("logkey", KEYS, TYPES),
        lambda: store(logstream, "x"),
        lambda: logstream.stream("logkey", None, None, None, 1, as_it_is, userdata=7),
        lambda: logstream.doUpdates(1, messenger),
        lambda: logstream.stopStream("logkey"),
        logstream.close,
    ]
    for step in steps:
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()
    assert len(messenger.rows()) == 1


def test_addStorage_again_goes_on_with_the_same_and_refuses_another(
    logstream: SqliteDataStreamer, messenger: Recorder
) -> None:
    store(logstream, "before")
    logstream.addStorage("logkey", KEYS, TYPES)
    with pytest.raises(StreamRefused, match=r"is there already, with other columns \(name VARCHAR"):
        logstream.addStorage("logkey", KEYS[:-1], TYPES[:-1])
    logstream.stream("logkey", None, None, None, 1, as_it_is)
    logstream.doUpdates(1, messenger)
    assert [row[6] for row in messenger.rows()] == ["before"]


def test_storeData_takes_a_timestamp_and_the_values_in_the_order_of_the_keys(
    logstream: SqliteDataStreamer, messenger: Recorder
) -> None:
    now = time.time()
    logstream.storeData("logkey", now, "n", "t", 10, "f.py", 3, "m", "Traceback")
    logstream.stream("logkey", None, None, None, 1, as_it_is)
    logstream.doUpdates(1, messenger)
    assert messenger.rows() == [[now, "n", "t", 10, "f.py", 3, "m", "Traceback"]]


def test_storeData_refuses_too_few_and_too_many_values_and_unknown_tables(
    logstream: SqliteDataStreamer,
) -> None:
    with pytest.raises(StreamValueError, match="has 7 columns beside time"):
        logstream.storeData("logkey", 1.0, "n")
    with pytest.raises(StreamValueError, match="given were 8 values"):
        logstream.storeData("logkey", 1.0, *"12345678")
    with pytest.raises(StorageUnknown, match="there is no storage 'lokey' but logkey"):
        logstream.storeData("lokey", 1.0, "n")


def test_stream_hands_the_formatter_plain_rows_and_the_userdata(
    logstream: SqliteDataStreamer, messenger: Recorder
) -> None:
    given: list[Any] = []
    userdata = object()

    def formatter(data: list[list[Any]], userdata: object) -> str:
        given.append((data, userdata))
        return "formatted"

    store(logstream, "one")
    store(logstream, "two")
    logstream.stream("logkey", "n", "g", "d", 1, formatter, userdata=userdata)
    logstream.doUpdates(1, messenger)
    ((rows, told),) = given
    assert told is userdata
    assert [type(part) for part in (rows, *rows)] == [list] * 3
    assert messenger.sent == [("formatted", "n", "g", "d")]


@pytest.mark.parametrize(
    "given", ["n1,n2", ["n1", "n2"], ("n1", "n2"), {"n1", "n2"}, frozenset({"n1"}), None, "", []]
)
def test_stream_carries_destinations_through_as_they_were_given(given: Any) -> None:
    messenger = Recorder()
    with SqliteDataStreamer(":memory:") as logstream:
        logstream.addStorage("logkey", ["msg"], ["VARCHAR"])
        logstream.storeData("logkey", 1, "x")
        logstream.stream("logkey", given, given, given, 1, as_it_is)
        logstream.doUpdates(1, messenger)
    ((_, nodes, groups, docks),) = messenger.sent
    assert (nodes, groups, docks) == (given, given, given)
    assert type(nodes) is type(given)


def test_stream_again_changes_the_stream_and_goes_on_where_it_was(
    logstream: SqliteDataStreamer, messenger: Recorder
) -> None:
    store(logstream, "first")
    logstream.stream("logkey", "here", None, None, 5, as_it_is, userdata=1)
    logstream.doUpdates(100, messenger)
    store(logstream, "second")
    logstream.stream("logkey", "there", None, None, 7, as_it_is, userdata=2)
    assert logstream.doUpdates(100, messenger) == 107
    assert [(one.nodes, one.message[0][6]) for one in messenger.sent] == [
        ("here", "first"),
        ("there", "second"),
    ]
    assert logstream.stopStream("logkey") == 2


def test_sqlfilter_chooses_rows_and_sqlfile_is_another_name_of_it(
    logstream: SqliteDataStreamer, messenger: Recorder
) -> None:
    for level in (10, 20, 30):
        store(logstream, f"level {level}", level=level)
    logstream.stream("logkey", None, None, None, 1, as_it_is, sqlfile="level > 10")
    logstream.doUpdates(1, messenger)
    assert [row[6] for row in messenger.rows()] == ["level 20", "level 30"]
    with pytest.raises(StreamRefused, match="sqlfile is another name of sqlfilter"):
        logstream.stream("logkey", None, None, None, 1, as_it_is, "level > 1", sqlfile="level > 2")


def test_stopStream_returns_the_userdata_and_ends_the_stream(
    logstream: SqliteDataStreamer, messenger: Recorder
) -> None:
    userdata = {"level": 20}
    logstream.stream("logkey", None, None, None, 5, as_it_is, None, userdata)
    assert logstream.stopStream("logkey") is userdata
    store(logstream, "unheard")
    assert logstream.doUpdates(100, messenger) == 101
    assert messenger.sent == []


def test_stopStream_of_no_stream_is_None_and_of_no_table_an_error(
    logstream: SqliteDataStreamer,
) -> None:
    assert logstream.stopStream("logkey") is None
    logstream.stream("logkey", None, None, None, 5, as_it_is, userdata=1)
    assert logstream.stopStream("logkey") == 1
    assert logstream.stopStream("logkey") is None
    with pytest.raises(StorageUnknown, match="'logkeys'"):
        logstream.stopStream("logkeys")


def test_stopStream_and_stream_again_go_on(
    logstream: SqliteDataStreamer, messenger: Recorder
) -> None:
    store(logstream, "one")
    logstream.stream("logkey", None, None, None, 1, as_it_is)
    logstream.doUpdates(1, messenger)
    logstream.stopStream("logkey")
    store(logstream, "two")
    logstream.stream("logkey", None, None, None, 1, as_it_is)
    logstream.doUpdates(9, messenger)
    assert [row[6] for row in messenger.rows()] == ["one", "two"]


def test_the_names_of_the_original_are_those_of_python(place: str) -> None:
    class Counting(SqliteDataStreamer):
        called: list[str] = []  # noqa: RUF012

        def add_storage(self, *args: Any) -> None:
            self.called.append("add_storage")

        def store_data(self, *args: Any) -> str:
            self.called.append("store_data")
            return ""

        def do_updates(self, *args: Any) -> float:
            self.called.append("do_updates")
            return 0.0

        def stop_stream(self, *args: Any) -> Any:
            self.called.append("stop_stream")

    with Counting(place) as streamer:
        streamer.addStorage("k", [], [])
        streamer.storeData("k", 1)
        streamer.doUpdates(1, Recorder())
        streamer.stopStream("k")
    assert Counting.called == ["add_storage", "store_data", "do_updates", "stop_stream"]
