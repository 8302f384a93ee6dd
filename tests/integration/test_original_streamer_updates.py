"""What the text that the data streamer was made after says of doUpdates."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import Any

import pytest

from aggregator.errors import StreamRefused
from aggregator.streams import SqliteDataStreamer
from tests import streams_kit
from tests.integration import original_streamer
from tests.integration.original_streamer import store
from tests.streams_kit import Recorder, as_it_is

place = streams_kit.place
logstream, messenger = original_streamer.logstream, original_streamer.messenger


def test_doUpdates_alone_sends(logstream: SqliteDataStreamer, messenger: Recorder) -> None:
    before = threading.active_count()
    logstream.stream("logkey", None, None, None, 0.01, as_it_is)
    logstream.doUpdates(1, messenger)
    store(logstream, "waits")
    time.sleep(0.1)
    assert messenger.sent == []
    assert threading.active_count() == before
    logstream.doUpdates(2, messenger)
    assert len(messenger.sent) == 1
    store(logstream, "unsent")
    logstream.stopStream("logkey")
    logstream.close()
    assert len(messenger.sent) == 1


def test_doUpdates_returns_when_it_wants_to_be_called(
    logstream: SqliteDataStreamer, messenger: Recorder
) -> None:
    logstream.addStorage("other", ["x"], ["REAL"])
    logstream.stream("logkey", None, None, None, 5, as_it_is)
    logstream.stream("other", None, None, None, 3, as_it_is)
    assert logstream.doUpdates(100, messenger) == 103
    assert logstream.doUpdates(102.5, messenger) == 103
    assert logstream.doUpdates(103, messenger) == 105
    assert logstream.doUpdates(105.5, messenger) == 106
    assert messenger.sent == []


def test_doUpdates_without_a_stream_returns_a_time(
    logstream: SqliteDataStreamer, messenger: Recorder
) -> None:
    assert logstream.doUpdates(100, messenger) == 101
    assert SqliteDataStreamer(":memory:").doUpdates(0, messenger) == 1


def test_doUpdates_sends_each_row_once_and_nothing_where_there_is_nothing_new(
    logstream: SqliteDataStreamer, messenger: Recorder
) -> None:
    logstream.stream("logkey", None, None, None, 5, as_it_is)
    for turn in range(4):
        store(logstream, f"{turn}a")
        store(logstream, f"{turn}b")
        logstream.doUpdates(100 + 5 * turn, messenger)
    logstream.doUpdates(200, messenger)
    assert [len(one.message) for one in messenger.sent] == [2, 2, 2, 2]
    assert [row[6] for row in messenger.rows()] == [f"{n}{x}" for n in range(4) for x in "ab"]


def test_doUpdates_keeps_a_period_between_messages(
    logstream: SqliteDataStreamer, messenger: Recorder
) -> None:
    logstream.stream("logkey", None, None, None, 5, as_it_is)
    sent_at: list[float] = []
    messenger.fail = lambda: sent_at.append(now)
    for tenth in range(0, 200, 7):
        now = 100 + tenth / 10
        store(logstream, "x")
        logstream.doUpdates(now, messenger)
    assert len(sent_at) == 4
    gaps = [b - a for a, b in pairwise(sent_at)]
    assert all(5 <= gap < 5.71 for gap in gaps)


def test_doUpdates_takes_a_function_for_a_messenger(logstream: SqliteDataStreamer) -> None:
    store(logstream, "x")
    given: list[Any] = []
    logstream.stream("logkey", "n", "g", "d", 1, lambda data, userdata: "text")
    logstream.doUpdates(1, lambda *sent: given.append(sent))
    assert given == [("text", "n", "g", "d")]


@pytest.mark.parametrize("now", [None, "1", float("nan"), float("inf"), True])
def test_doUpdates_refuses_what_is_no_time(now: Any, messenger: Recorder) -> None:
    with (
        SqliteDataStreamer(":memory:") as logstream,
        pytest.raises(StreamRefused, match="now must be a number of seconds"),
    ):
        logstream.doUpdates(now, messenger)
