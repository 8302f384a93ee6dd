"""A process' log as a stream: what is stored of a record, and that nothing reaches the program."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from aggregator.streams import LOG_KEYS, LogHandler, SqliteDataStreamer
from tests import streams_kit
from tests.streams_kit import Recorder, as_it_is

place = streams_kit.place
FIELDS = ["time", *LOG_KEYS]


@pytest.fixture
def streamer(place: str) -> Iterator[SqliteDataStreamer]:
    with SqliteDataStreamer(place) as made:
        yield made


@pytest.fixture
def handler(streamer: SqliteDataStreamer) -> Iterator[LogHandler]:
    made = LogHandler(streamer)
    yield made
    made.close()


@pytest.fixture
def log(handler: LogHandler) -> logging.Logger:
    """One that knows of no other handler: those of the tests raise where a record is wrong."""
    logger = logging.Logger("site.agent")
    logger.addHandler(handler)
    return logger


def rows(streamer: SqliteDataStreamer, handler: LogHandler, **options: Any) -> list[dict[str, Any]]:
    """What was stored, by the names of the columns."""
    handler.flush()
    messenger = Recorder()
    streamer.stream("logkey", None, None, None, 1, as_it_is, name="all", **options)
    streamer._streams._running["logkey", "all"].turn(1, messenger)
    streamer.stop_stream("logkey", "all")
    return [dict(zip(FIELDS, row, strict=True)) for row in messenger.rows()]


def test_a_record_is_stored_with_what_the_original_keeps(
    streamer: SqliteDataStreamer, handler: LogHandler, log: logging.Logger
) -> None:
    log.info("%d members", 7)
    try:
        raise ValueError("no such member")
    except ValueError:
        log.exception("lost")
    first, second = rows(streamer, handler)
    assert first | {"time": 0, "fileno": 0} == {
        "time": 0,
        "name": "site.agent",
        "thread": "MainThread",
        "level": 20,
        "filename": "test_stream_log_handler.py",
        "fileno": 0,
        "msg": "7 members",
        "exception": None,
    }
    assert first["fileno"] > 0
    assert second["msg"] == "lost"
    assert second["exception"].startswith("Traceback (most recent call last):")
    assert second["exception"].endswith("ValueError: no such member")
    assert second["time"] >= first["time"] > 1.7e9


def test_levels_are_chosen_by_the_handler_and_by_the_stream(
    streamer: SqliteDataStreamer, handler: LogHandler, log: logging.Logger
) -> None:
    handler.setLevel(logging.INFO)
    for level in ("debug", "info", "warning"):
        getattr(log, level)(level)
    assert [row["msg"] for row in rows(streamer, handler)] == ["info", "warning"]
    found = rows(
        streamer,
        handler,
        sqlfilter="level >= :level",
        parameters={"level": logging.WARNING},
        start="oldest",
    )
    assert [row["msg"] for row in found] == ["warning"]


class Hostile:
    """What says nothing of itself, but raises."""

    def __str__(self) -> str:
        raise RuntimeError("no text of me")

    __repr__ = __str__


def test_whatever_is_logged_the_program_goes_on(
    streamer: SqliteDataStreamer, handler: LogHandler, log: logging.Logger
) -> None:
    log.info("%d members", "seven")
    log.info("%s %s", "one")  # noqa: PLE1206
    log.info(Hostile())
    log.info("nul \0, lone \ud800, %s", "x" * 100_000)
    log.info({"not": "a text"})
    found = [row["msg"] for row in rows(streamer, handler)]
    assert found[0].startswith("'%d members' % ('seven',): TypeError(")
    assert found[1].startswith("'%s %s' % ('one',): TypeError(")
    assert found[2].startswith("nul \ufffd, lone ?, xxx")
    assert found[2].endswith(" characters)")
    assert len(found[2]) < 33_000
    assert found[3:] == ["{'not': 'a text'}"]
    assert handler.dropped == 1


def test_many_threads_log(
    streamer: SqliteDataStreamer, handler: LogHandler, log: logging.Logger
) -> None:
    def work(number: int) -> None:
        for count in range(100):
            log.info("%d %d", number, count)

    threads = [threading.Thread(target=work, args=(n,), name=f"worker-{n}") for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = rows(streamer, handler)
    assert handler.dropped == 0
    for number in range(8):
        own = [row["msg"] for row in found if row["thread"] == f"worker-{number}"]
        assert own == [f"{number} {count}" for count in range(100)]


def test_what_storing_and_sending_say_is_not_stored(
    streamer: SqliteDataStreamer, handler: LogHandler
) -> None:
    """With the handler at the root, and all that is logged: it would never come to an end."""
    root, before = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)

    def formatter(data: list[list[Any]], userdata: Any) -> Any:
        logging.getLogger("site.formatter").warning("formatting")
        return data

    def send(*given: Any) -> None:
        sent.append(given)
        logging.getLogger("site.messenger").warning("sending")
        logging.getLogger("aggregator.streams.stream").warning("ours")
        raise OSError("the receiver is away")

    sent: list[Any] = []
    try:
        streamer.stream("logkey", None, None, None, 1, formatter)
        logging.getLogger("site").info("once")
        logging.getLogger("sqlalchemy.engine.Engine").info("SELECT")
        logging.getLogger("aggregator.store.committer").info("again")
        for now in range(1, 20, 3):
            handler.flush()
            streamer.do_updates(now, send)
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
    assert len(sent) > 2
    assert [row["msg"] for row in rows(streamer, handler)] == ["once"]
    assert handler.dropped == 0


def test_no_thread_that_logs_waits_for_the_database(tmp_path: Path) -> None:
    path = tmp_path / "logging.db"
    with SqliteDataStreamer(path, timeout=20) as streamer:
        handler = LogHandler(streamer, most_waiting=50)
        log = logging.Logger("site.agent")
        log.addHandler(handler)
        with closing(sqlite3.connect(path, isolation_level=None)) as beside:
            beside.execute("BEGIN IMMEDIATE")
            done = threading.Event()
            thread = threading.Thread(
                target=lambda: ([log.info("%d", n) for n in range(80)], done.set())
            )
            thread.start()
            assert done.wait(5)
            thread.join()
            beside.execute("COMMIT")
        assert handler.dropped == 30
        assert [row["msg"] for row in rows(streamer, handler)] == [str(n) for n in range(50)]
        handler.close()


def test_a_streamer_that_was_closed_reaches_no_program(tmp_path: Path) -> None:
    streamer = SqliteDataStreamer(tmp_path / "logging.db")
    handler = LogHandler(streamer)
    log = logging.Logger("site.agent")
    log.addHandler(handler)
    log.info("stored")
    streamer.close()
    log.info("too late")
    handler.close()
    assert handler.dropped == 1
    with SqliteDataStreamer(tmp_path / "logging.db") as again:
        assert [row["msg"] for row in rows(again, LogHandler(again))] == ["stored"]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_of_a_fork_logs_into_the_void_and_ends(tmp_path: Path) -> None:
    with SqliteDataStreamer(tmp_path / "logging.db") as streamer:
        handler = LogHandler(streamer)
        log = logging.Logger("site.agent")
        log.addHandler(handler)
        log.info("before")
        child = os.fork()
        if child == 0:
            log.info("in the child")
            handler.close()
            os._exit(handler.dropped)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        log.info("after")
        assert [row["msg"] for row in rows(streamer, handler)] == ["before", "after"]
        handler.close()


PROGRAM = """
import logging, sys
from aggregator.streams import LogHandler, SqliteDataStreamer
streamer = SqliteDataStreamer(sqlitename=sys.argv[1], threadHack=True)
logging.getLogger().addHandler(LogHandler(streamer))
for number in range(500):
    logging.warning("%d", number)
"""


def test_what_was_logged_last_is_stored_when_a_program_ends(tmp_path: Path) -> None:
    path = tmp_path / "logging.db"
    subprocess.run([sys.executable, "-W", "error", "-c", PROGRAM, path], check=True, timeout=60)
    with SqliteDataStreamer(path) as streamer:
        found = rows(streamer, LogHandler(streamer))
    assert [row["msg"] for row in found] == [str(n) for n in range(500)]
    assert yaml.safe_load(yaml.safe_dump(found))[0]["msg"] == "0"
