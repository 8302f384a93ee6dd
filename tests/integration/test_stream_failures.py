"""What can't be sent is tried again, in order, without loss; what is at fault is set aside."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from aggregator.errors import MessageNotSent, MessageRefused, StreamRefused
from aggregator.streams import SqliteDataStreamer
from tests import streams_kit
from tests.streams_kit import BatchRecorder, Recorder, as_it_is, begin, store

place, streamer = streams_kit.place, streams_kit.streamer


class Faulty:
    """Raises so many times, and never again."""

    def __init__(self, times: int, error: Exception | None = None) -> None:
        self.left = times
        self.error = error or ConnectionError("the receiver is away")

    def __call__(self) -> None:
        if self.left:
            self.left -= 1
            raise self.error


def test_a_message_that_is_not_sent_is_sent_again_as_it_was(streamer: SqliteDataStreamer) -> None:
    messenger = BatchRecorder()
    messenger.fail = Faulty(2)
    begin(streamer, period=1)
    store(streamer, "a", "b")
    assert streamer.do_updates(100, messenger) == 101
    store(streamer, "c")
    assert streamer.do_updates(101, messenger) == 103
    (status,) = streamer.status()
    assert (status.failures, status.waiting, status.sent) == (2, 3, 0)
    assert status.last_error == "ConnectionError: the receiver is away"
    streamer.do_updates(103, messenger)
    # The first two under the name that they had, and then what has come since.
    assert [[row[-1] for row in message] for message, _ in messenger.sent] == [["a", "b"], ["c"]]
    assert len({batch.id for batch in messenger.tried[:3]}) == 1
    assert len({batch.id for _, batch in messenger.sent}) == 2
    assert [batch.attempt for batch in messenger.tried] == [1, 2, 3, 1]
    assert streamer.status()[0].failures == 0


def test_the_pause_grows_and_ends_with_the_trouble(streamer: SqliteDataStreamer) -> None:
    messenger = Recorder()
    messenger.fail = Faulty(12)
    begin(streamer, period=1)
    store(streamer, "x")
    now, pauses = 100.0, []
    for _ in range(12):
        again = streamer.do_updates(now, messenger)
        pauses.append(again - now)
        # Asked too soon, it sends nothing.
        streamer.do_updates(again - 0.01, messenger)
        now = again
    assert pauses == [1, 1 * 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60]
    assert streamer.do_updates(now, messenger) == now + 1
    assert messenger.last() == ["x"]


def test_a_long_period_is_not_made_longer(streamer: SqliteDataStreamer) -> None:
    messenger = Recorder()
    messenger.fail = Faulty(3)
    begin(streamer, period=300)
    store(streamer, "x")
    for now in (0, 300, 600):
        assert streamer.do_updates(now, messenger) == now + 300


def test_a_formatter_that_fails_is_tried_again(streamer: SqliteDataStreamer) -> None:
    messenger, fail = Recorder(), Faulty(1, KeyError("level"))

    def formatter(rows: list[list[Any]], userdata: Any) -> Any:
        # What it does to its rows harms no later attempt.
        rows.reverse()
        fail()
        return rows

    begin(streamer, period=1, formatter=formatter)
    store(streamer, "a", "b")
    streamer.do_updates(1, messenger)
    assert streamer.status()[0].last_error == "KeyError: 'level'"
    streamer.do_updates(2, messenger)
    assert messenger.last() == ["b", "a"]


def test_a_formatter_that_returns_None_has_nothing_to_send(streamer: SqliteDataStreamer) -> None:
    messenger = Recorder()
    begin(streamer, period=1, formatter=lambda rows, _: rows if len(rows) > 1 else None)
    store(streamer, "dull")
    streamer.do_updates(1, messenger)
    store(streamer, "a", "b")
    streamer.do_updates(2, messenger)
    assert messenger.last() == ["a", "b"]


def test_the_trouble_of_one_stream_is_not_that_of_others(streamer: SqliteDataStreamer) -> None:
    sent: list[Any] = []

    def send(message: Any, nodes: Any, groups: Any, docks: Any) -> None:
        if nodes == "dead":
            raise OSError("no route to host")
        sent.append(message)

    for name, node in (("one", "dead"), ("two", "well")):
        streamer.stream("logkey", node, None, None, 1, as_it_is, name=name)
    store(streamer, "x")
    streamer.do_updates(1, send)
    store(streamer, "y")
    streamer.do_updates(2, send)
    assert [row[-1] for message in sent for row in message] == ["x", "y"]


def test_no_row_is_passed_over_unless_that_is_wanted(streamer: SqliteDataStreamer) -> None:
    messenger = Recorder()
    messenger.fail = Faulty(30, MessageRefused("no"))
    begin(streamer, period=100)
    store(streamer, "poison")
    store(streamer, "good")
    for turn in range(31):
        streamer.do_updates(turn * 100, messenger)
    assert messenger.last() == ["poison", "good"]


def never_poison(rows: list[list[Any]], userdata: Any) -> Any:
    if any(row[-1] == "poison" for row in rows):
        raise ValueError("can't format poison")
    return rows


def refused_poison(message: list[list[Any]], *to: Any) -> None:
    if any(row[-1] == "poison" for row in message):
        raise MessageRefused("HTTP status 422")


@pytest.mark.parametrize(
    ("formatter", "check", "reason"),
    [
        (never_poison, None, "ValueError: can't format poison"),
        (as_it_is, refused_poison, "MessageRefused: HTTP status 422"),
    ],
)
def test_a_row_that_is_at_fault_is_found_and_set_aside(
    streamer: SqliteDataStreamer, formatter: Any, check: Callable[..., None] | None, reason: str
) -> None:
    taken: list[Any] = []

    def send(message: Any, *to: Any) -> None:
        if check:
            check(message, *to)
        taken.append([row[-1] for row in message])

    begin(streamer, period=1, formatter=formatter, set_aside_after=2)
    store(streamer, *"abcdefghij")
    (poison,) = store(streamer, "poison")
    store(streamer, *"klmnopqrst")
    now = 0.0
    for _ in range(40):
        now = streamer.do_updates(now, send)
    assert [text for message in taken for text in message] == list("abcdefghijklmnopqrst")
    ((row, at, why),) = [(one.row, one.at, one.reason) for one in streamer.set_aside("logkey")]
    assert poison.endswith(f".{row}")
    assert why == reason
    assert 0 < at < now
    # It is in the table still, and later messages are as large as ever.
    store(streamer, *(str(n) for n in range(100)))
    for _ in range(10):
        now = streamer.do_updates(now, send)
    assert len(taken[-1]) > 20
    begin(streamer, period=1, name="all")
    messenger = Recorder()
    streamer.do_updates(now, messenger)
    assert "poison" in messenger.last()


def test_a_receiver_that_is_away_makes_no_row_guilty(streamer: SqliteDataStreamer) -> None:
    messenger = Recorder()
    messenger.fail = Faulty(20, MessageNotSent("HTTP status 503"))
    begin(streamer, period=100, set_aside_after=1)
    store(streamer, "a", "b")
    for turn in range(21):
        streamer.do_updates(turn * 100, messenger)
    assert messenger.last() == ["a", "b"]
    assert streamer.set_aside("logkey") == []


def test_a_messenger_may_ask_store_and_stop_its_stream(streamer: SqliteDataStreamer) -> None:
    sent: list[Any] = []

    def send(message: Any, *to: Any) -> None:
        sent.append([row[-1] for row in message])
        assert streamer.do_updates(1, send) > 0
        with pytest.raises(StreamRefused, match="sends at this moment"):
            begin(streamer)
        with pytest.raises(StreamRefused, match="can't close its streamer"):
            streamer.close()
        store(streamer, f"after {len(sent)}")
        assert streamer.stop_stream("logkey") == "mine"
        begin(streamer, name="next")

    begin(streamer, period=1, userdata="mine", batch_size=1)
    store(streamer, "a", "b")
    streamer.do_updates(1, send)
    assert sent == [["a"]]
    assert streamer.stop_stream("logkey") is None
    # What was sent while it was stopped is sent, and no more than that.
    messenger = Recorder()
    streamer.stop_stream("logkey", "next")
    begin(streamer)
    streamer.do_updates(2, messenger)
    assert messenger.last() == ["b", "after 1"]


class Unspeakable(Exception):
    """An error that raises where it is asked what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no text of me")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Unspeakable(), "Unspeakable"),
        (ValueError("nul \0, lone \ud800"), "ValueError: nul \ufffd, lone ?"),
        (ValueError("x" * 9000), "ValueError: " + "x" * 988),
        (RecursionError(), "RecursionError: "),
    ],
)
def test_whatever_an_error_says_of_itself_the_row_is_set_aside(
    streamer: SqliteDataStreamer, error: Exception, told: str
) -> None:
    def formatter(rows: list[list[Any]], userdata: Any) -> Any:
        if rows[0][-1] == "poison":
            raise error
        return rows

    messenger = Recorder()
    begin(streamer, period=1, formatter=formatter, set_aside_after=1, batch_size=1)
    store(streamer, "poison", "good")
    for now in range(1, 4):
        streamer.do_updates(now, messenger)
    assert messenger.last() == ["good"]
    assert [one.reason for one in streamer.set_aside("logkey")] == [told]


def test_an_interrupt_passes_and_loses_nothing(streamer: SqliteDataStreamer) -> None:
    messenger = BatchRecorder()

    def interrupt() -> None:
        raise KeyboardInterrupt

    messenger.fail = interrupt
    begin(streamer, period=1)
    store(streamer, "a")
    with pytest.raises(KeyboardInterrupt):
        streamer.do_updates(1, messenger)
    messenger.fail = lambda: None
    streamer.do_updates(2, messenger)
    assert messenger.last() == ["a"]
    assert len({batch.id for batch in messenger.tried}) == 1


def test_failures_are_logged_without_a_traceback(
    streamer: SqliteDataStreamer, caplog: pytest.LogCaptureFixture
) -> None:
    messenger = Recorder()
    messenger.fail = Faulty(1)
    begin(streamer, period=1, name="mine")
    store(streamer, "a")
    with caplog.at_level(logging.INFO, logger="aggregator.streams"):
        streamer.do_updates(1, messenger)
    (record,) = caplog.records
    assert record.getMessage() == (
        "the stream of logkey (mine) failed for the 1. time, and is tried again in 1 s:"
        " ConnectionError: the receiver is away"
    )
    assert record.exc_info is None
