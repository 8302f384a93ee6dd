"""What one turn of a stream sends: so much, and no more than there was when it began."""

from __future__ import annotations

from typing import Any

from aggregator.streams import SqliteDataStreamer
from tests import streams_kit
from tests.streams_kit import Recorder, begin, store

place, streamer = streams_kit.place, streams_kit.streamer


def test_a_backlog_goes_in_messages_of_bounded_size(streamer: SqliteDataStreamer) -> None:
    messenger = Recorder()
    begin(streamer, period=1, batch_size=7)
    store(streamer, *(str(n) for n in range(30)))
    streamer.do_updates(1, messenger)
    assert [len(one.message) for one in messenger.sent] == [7, 7, 7, 7, 2]
    assert messenger.last() == [str(n) for n in range(30)]


def test_large_rows_go_in_messages_of_bounded_bytes() -> None:
    messenger = Recorder()
    with streams_kit.logging_to(":memory:") as streamer:
        begin(streamer, period=1)
        store(streamer, *("x" * 2**20 for _ in range(40)))
        streamer.do_updates(1, messenger)
    assert [len(one.message) for one in messenger.sent] == [4] * 10


def test_one_turn_is_bounded_and_the_rest_is_due_at_once() -> None:
    messenger = Recorder()
    with streams_kit.logging_to(":memory:") as streamer:
        begin(streamer, period=1, batch_size=1)
        store(streamer, *(str(n) for n in range(150)))
        assert streamer.do_updates(1, messenger) == 1
        assert len(messenger.sent) == 100
        assert streamer.do_updates(1, messenger) == 2
    assert messenger.last() == [str(n) for n in range(150)]


def test_what_is_stored_while_a_turn_lasts_waits_for_the_next(streamer: SqliteDataStreamer) -> None:
    """Else a turn beside busy threads would run after every row."""
    sent: list[list[Any]] = []

    def send(message: list[list[Any]], *to: Any) -> None:
        sent.append([row[-1] for row in message])
        store(streamer, f"after {len(sent)}")

    begin(streamer, period=1, batch_size=2)
    store(streamer, *"abc")
    streamer.do_updates(1, send)
    assert sent == [["a", "b"], ["c"]]
    streamer.do_updates(2, send)
    assert sent[2:] == [["after 1", "after 2"]]


def test_a_clock_that_is_set_back_or_jumps_ahead_does_no_harm(streamer: SqliteDataStreamer) -> None:
    messenger = Recorder()
    begin(streamer, period=5)
    store(streamer, "a")
    assert streamer.do_updates(1_000_000, messenger) == 1_000_005
    store(streamer, "b")
    assert streamer.do_updates(1000, messenger) == 1005
    store(streamer, "c")
    assert streamer.do_updates(1002, messenger) == 1005
    assert streamer.do_updates(9_000_000, messenger) == 9_000_005
    assert messenger.last() == ["a", "b", "c"]
    assert streamer.do_updates(-50, messenger) == -45
