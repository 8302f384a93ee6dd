"""Streams that several share: names, restarts, takers-over, writers beside, hanging databases."""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from aggregator.errors import StoreUnavailable
from aggregator.store import stream_reading
from aggregator.streams import SqliteDataStreamer
from tests import databases, streams_kit
from tests.streams_kit import BatchRecorder, Recorder, begin, logging_to, store
from tests.waiting import until

postgresql_url = databases.postgresql_url
place, kept_place, streamer = streams_kit.place, streams_kit.kept_place, streams_kit.streamer


@contextmanager
def beside(place: str) -> Iterator[Any]:
    """A connection of somebody else, in a transaction that writes."""
    if "://" not in place:
        with closing(sqlite3.connect(place, isolation_level=None, timeout=20)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        return
    plain = make_url(place).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection:
        yield connection
        connection.rollback()


def test_a_table_may_have_several_streams(streamer: SqliteDataStreamer) -> None:
    sent: dict[str, list[Any]] = {}

    def send(message: Any, nodes: str, *others: Any) -> None:
        sent.setdefault(nodes, []).extend(row[-1] for row in message)

    for name, condition in (("all", None), ("loud", "level >= 30")):
        streamer.stream(
            "logkey", name, None, None, 1, lambda rows, _: rows, condition, name, name=name
        )
    store(streamer, "quiet", level=10)
    store(streamer, "loud", level=30)
    streamer.do_updates(1, send)
    assert sent == {"all": ["quiet", "loud"], "loud": ["loud"]}
    assert streamer.stop_stream("logkey", "loud") == "loud"
    assert streamer.stop_stream("logkey", "all") == "all"


@pytest.mark.parametrize(
    ("start", "wanted"),
    [(None, "abcd"), ("oldest", "abcd"), ("now", "d"), (2.5, "cd"), (99, "d"), (0, "abcd")],
)
def test_a_stream_begins_where_it_is_told_to(place: str, start: Any, wanted: str) -> None:
    messenger = Recorder()
    with logging_to(place) as streamer:
        for at, text in enumerate("abc", 1):
            store(streamer, text, at=at)
        begin(streamer, start=start)
        store(streamer, "d")
        streamer.do_updates(1, messenger)
    assert messenger.last() == list(wanted)


def test_after_a_restart_a_stream_goes_on_and_start_is_for_new_ones(kept_place: str) -> None:
    messenger = Recorder()
    for texts in ("ab", "cd"):
        with logging_to(kept_place) as streamer:
            store(streamer, texts[0])
            begin(streamer, start="now")
            store(streamer, texts[1])
            streamer.do_updates(1, messenger)
    assert messenger.last() == ["b", "c", "d"]
    with logging_to(kept_place) as streamer:
        assert streamer.stop_stream("logkey") is None
        store(streamer, "e")
        begin(streamer, start="now")
        store(streamer, "f")
        streamer.do_updates(1, messenger)
    assert messenger.last() == ["b", "c", "d", "f"]


def test_ids_stay_after_a_restart_and_are_in_the_rows_where_they_are_wanted(
    kept_place: str,
) -> None:
    messenger, stored = BatchRecorder(), []
    for turn in range(2):
        with logging_to(kept_place) as streamer:
            stored += store(streamer, f"{turn}a", f"{turn}b")
            begin(streamer, row_ids=True, start="oldest", name=f"stream{turn}")
            streamer.do_updates(1, messenger)
    rows = [[row[0] for row in message] for message, _ in messenger.sent]
    assert rows == [stored[:2], stored]
    assert [list(batch.row_ids) for _, batch in messenger.sent] == rows
    assert [(batch.table_key, batch.stream) for _, batch in messenger.sent] == [
        ("logkey", "stream0"),
        ("logkey", "stream1"),
    ]
    assert len(set(stored)) == 4


def test_whoever_streams_last_sends_and_the_other_finds_out(kept_place: str) -> None:
    old, new = Recorder(), Recorder()
    with logging_to(kept_place) as first, logging_to(kept_place) as second:
        begin(first, userdata="first")
        store(first, "a")
        first.do_updates(1, old)
        begin(second)
        store(first, "b")
        assert first.do_updates(100, old) == 101
        assert first.status()[0].taken_over
        second.do_updates(100, new)
        # Stopping what is another's by now stops nothing but here.
        assert first.stop_stream("logkey") == "first"
        store(first, "c")
        second.do_updates(200, new)
        begin(first)
        store(first, "d")
        first.do_updates(300, old)
        second.do_updates(300, new)
    assert (old.last(), new.last()) == (["a", "d"], ["b", "c"])


def test_a_row_is_never_seen_before_one_of_a_smaller_number(kept_place: str) -> None:
    """Somebody else draws a number and is slow to commit; whoever comes then has to wait."""
    messenger, made = Recorder(), []
    with logging_to(kept_place, timeout=20) as streamer:
        begin(streamer, period=1)
        with beside(kept_place) as connection:
            connection.execute("UPDATE mds_stream_storages SET last = last + 1")
            connection.execute(
                "INSERT INTO logkey (stream_row, time, level, msg) VALUES (1, 1, 1, 'slow')"
            )
            thread = threading.Thread(target=lambda: made.extend(store(streamer, "quick")))
            thread.start()
            thread.join(0.5)
            streamer.do_updates(1, messenger)
            assert (made, messenger.sent) == ([], [])
            connection.execute("COMMIT")
            thread.join(20)
        streamer.do_updates(2, messenger)
    assert messenger.last() == ["slow", "quick"]
    assert [name.partition(".")[2] for name in made] == ["2"]


def test_a_database_that_hangs_holds_up_for_as_long_as_was_said(kept_place: str) -> None:
    messenger = Recorder()
    with logging_to(kept_place, timeout=2.5) as streamer:
        begin(streamer, period=1)
        store(streamer, "before")
        with beside(kept_place) as connection:
            connection.execute("UPDATE mds_stream_storages SET last = last")
            connection.execute("UPDATE mds_stream_positions SET epoch = epoch")
            with pytest.raises(StoreUnavailable):
                store(streamer, "while it hangs")
            # What can't be noted is not sent: it could not be told apart when it comes again.
            assert streamer.do_updates(1, messenger) == 2
            assert messenger.sent == []
            assert streamer.status()[0].failures == 1
        store(streamer, "after")
        streamer.do_updates(5, messenger)
    assert messenger.last() == ["before", "after"]


@pytest.mark.postgresql
def test_connections_that_are_lost_are_made_anew(postgresql_url: str) -> None:
    messenger = Recorder()
    name = f"streams-{uuid.uuid4().hex}"
    named = make_url(postgresql_url).update_query_dict({"application_name": name})
    plain = make_url(postgresql_url).set(drivername="postgresql")
    address = plain.render_as_string(hide_password=False)
    ended = 0
    with logging_to(named.render_as_string(hide_password=False)) as streamer:
        begin(streamer, period=1)
        for turn in range(3):
            store(streamer, str(turn))
            streamer.do_updates(turn, messenger)
            with psycopg.connect(address, autocommit=True) as connection:
                ended += connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = %s",
                    [name],
                ).rowcount
        until(lambda: streamer.do_updates(100, messenger) and not streamer.status()[0].waiting)
    assert ended >= 6
    assert messenger.last() == ["0", "1", "2"]


def test_many_threads_store_and_stream_and_change_streams_at_once(place: str) -> None:
    """Nothing is lost or sent twice, whoever stores, sends and changes at the same time."""
    messenger, threads, rows = Recorder(), 6, 60
    errors: list[BaseException] = []

    def guarded(work: Any) -> Any:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                errors.append(error)

        return threading.Thread(target=run)

    def change() -> None:
        for _ in range(20):
            begin(streamer, period=0.001)
            streamer.do_updates(next(clock), messenger)

    clock = iter(range(1, 100_000))
    with logging_to(place, timeout=20) as streamer:
        begin(streamer, period=0.001)
        running = [
            guarded(lambda n=n: store(streamer, *(f"{n}-{i}" for i in range(rows))))
            for n in range(threads)
        ]
        running += [guarded(change) for _ in range(2)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        streamer.do_updates(next(clock), messenger)
    assert errors == []
    assert sorted(messenger.last()) == sorted(
        f"{n}-{i}" for n in range(threads) for i in range(rows)
    )
    for n in range(threads):
        own = [text for text in messenger.last() if text.startswith(f"{n}-")]
        assert own == [f"{n}-{i}" for i in range(rows)]


def test_many_open_one_place_and_add_one_storage_at_once(kept_place: str) -> None:
    errors: list[BaseException] = []
    together = threading.Barrier(5)

    def work() -> None:
        try:
            together.wait(20)
            with logging_to(kept_place, timeout=20) as streamer:
                store(streamer, "x")
                begin(streamer, name="one")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    messenger = Recorder()
    with logging_to(kept_place) as streamer:
        begin(streamer)
        streamer.do_updates(1, messenger)
    assert messenger.last() == ["x"] * 5


def test_a_filter_that_takes_nearly_nothing_gets_through_many_rows(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement looks at a window of rows; here at 7, and a call at 21."""
    monkeypatch.setattr(stream_reading, "WINDOW", 7)
    monkeypatch.setattr(stream_reading, "_LOOKED_AT", 21)
    messenger = Recorder()
    with logging_to(place) as streamer:
        jobs = [
            streamer.submit_data("logkey", at, "a", int(at in (5, 99, 150)), str(at))
            for at in range(200)
        ]
        for job in jobs:
            job.result(20)
        begin(streamer, sqlfilter="level = 1")
        begin(streamer, name="late", start=120.5, sqlfilter="level = 1")
        begin(streamer, name="never", start=1e9)
        streamer.do_updates(1, messenger)
        assert messenger.last() == ["5", "99", "150", "150"]
        assert [one.waiting for one in streamer.status()] == [0, 0, 0]
