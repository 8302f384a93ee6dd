"""Trouble that would hold up a stream for ever, or others with it: what becomes of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import select

from aggregator.errors import MessageRefused, StoreUnavailable
from aggregator.events import DataBlockEventSubscriber
from aggregator.store import stream_reading
from aggregator.store.stream_tables import positions
from aggregator.streams import SqliteDataStreamer
from aggregator.streams.messengers.events import EventMessenger
from tests import events_kit, streams_kit
from tests.events_kit import Inbox
from tests.streams_kit import BatchRecorder, Recorder, as_it_is, begin, store

place, streamer, kept_place = streams_kit.place, streams_kit.streamer, streams_kit.kept_place
system_on_each = events_kit.system_on_each


@contextmanager
def writes_that(answer: Callable[[Any, Any], Any], streamer: SqliteDataStreamer) -> Iterator[None]:
    """Let the writer answer otherwise: no database can be made to do so at a given moment."""
    writer = streamer._store.writer
    run = writer.run
    writer.run = lambda unit, **options: answer(run, unit)  # type: ignore[method-assign]
    try:
        yield
    finally:
        writer.run = run  # type: ignore[method-assign]


def in_doubt(run: Any, unit: Any) -> Any:
    run(unit)
    raise StoreUnavailable("whether it happened is in doubt")


def fails(run: Any, unit: Any) -> Any:
    raise StoreUnavailable("away")


def turns(streamer: SqliteDataStreamer, messenger: Any, count: int, now: float = 1.0) -> float:
    for _ in range(count):
        now = streamer.do_updates(now, messenger)
    return now


# Messages that are too large.


def test_messages_that_the_event_bus_finds_too_large_are_made_smaller(system_on_each: str) -> None:
    def texts(rows: list[list[Any]], userdata: Any) -> str:
        return "".join(row[-1] for row in rows)

    inbox = Inbox()
    subscriber = DataBlockEventSubscriber(origin="node7")
    subscriber.on_data = inbox
    wanted = "".join(f"{n:08d}" + "x" * 2040 for n in range(1000))
    with streams_kit.logging_to(":memory:") as streamer, subscriber:
        begin(streamer, period=1, formatter=texts)
        jobs = [
            streamer.submit_data("logkey", 1.0, "a", 1, wanted[n : n + 2048])
            for n in range(0, len(wanted), 2048)
        ]
        for job in jobs:
            job.result(10)
        turns(streamer, EventMessenger("node7"), 8)
        (status,) = streamer.status()
        assert (status.sent, status.waiting) == (1000, 0)
        got = ""
        while len(got) < len(wanted):
            got += inbox.next().content.additional_data.data_block
    assert got == wanted


def test_a_receiver_of_small_messages_is_seldom_asked_to_take_large_ones() -> None:
    messenger = BatchRecorder()

    def send(message: list[Any], batch: Any) -> None:
        messenger.tried.append(batch)
        if len(message) > 100:
            raise MessageRefused("HTTP status 413")
        messenger.sent.append((message, batch))

    messenger.send_batch = send  # type: ignore[method-assign]
    with streams_kit.logging_to(":memory:") as streamer:
        begin(streamer, period=1)
        jobs = [streamer.submit_data("logkey", 1.0, "a", 1, str(n)) for n in range(10_000)]
        for job in jobs:
            job.result(10)
        turns(streamer, messenger, 40)
    assert messenger.last() == [str(n) for n in range(10_000)]
    assert len(messenger.tried) - len(messenger.sent) < 12


# What nobody foresaw.


def test_what_nobody_foresaw_is_the_trouble_of_one_stream(
    streamer: SqliteDataStreamer, caplog: pytest.LogCaptureFixture
) -> None:
    messenger = Recorder()
    for name in ("one", "two"):
        begin(streamer, period=1, name=name)
    stream = streamer._streams._running["logkey", "one"]

    def broken(*of: Any) -> Any:
        raise RecursionError("too deep")

    stream._next = broken  # type: ignore[method-assign]
    store(streamer, "a")
    with caplog.at_level(logging.ERROR):
        assert streamer.do_updates(1, messenger) == 2
    assert messenger.last() == ["a"]
    assert [one.failures for one in streamer.status()] == [1, 0]
    assert streamer.status()[0].last_error == "RecursionError: too deep"
    assert [record.exc_info is not None for record in caplog.records] == [True]


# Commits in doubt.


@pytest.mark.parametrize("answer", [in_doubt, fails])
def test_a_stream_whose_change_is_in_doubt_goes_on(
    streamer: SqliteDataStreamer, answer: Any
) -> None:
    messenger = Recorder()
    begin(streamer, period=1)
    store(streamer, "a")
    streamer.do_updates(1, messenger)
    with writes_that(answer, streamer):
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                begin(streamer, period=3)
        store_later = streamer.status()[0].taken_over
    assert not store_later
    store(streamer, "b")
    with writes_that(answer, streamer):
        streamer.do_updates(2, messenger)
    assert messenger.last() == ["a"]
    turns(streamer, messenger, 3, now=4)
    store(streamer, "c")
    turns(streamer, messenger, 2, now=9)
    assert messenger.last() == ["a", "b", "c"]
    begin(streamer, period=3)
    assert not streamer.status()[0].taken_over


def test_a_stream_in_doubt_that_another_process_took_is_left_to_it(kept_place: str) -> None:
    messenger = Recorder()
    with (
        streams_kit.logging_to(kept_place) as mine,
        streams_kit.logging_to(kept_place) as other,
    ):
        begin(mine, period=1)
        with writes_that(fails, mine), pytest.raises(StoreUnavailable):
            begin(mine, period=1)
        for _ in range(2):
            begin(other, period=1)
        store(mine, "a")
        mine.do_updates(1, messenger)
        assert messenger.sent == []
        assert mine.status()[0].taken_over
        other.do_updates(1, messenger)
    assert messenger.last() == ["a"]


def test_what_was_sent_before_a_stop_that_was_not_noted_is_not_sent_again(
    streamer: SqliteDataStreamer, caplog: pytest.LogCaptureFixture
) -> None:
    messenger = Recorder()
    begin(streamer, period=1)
    store(streamer, "a")
    stream = streamer._streams._running["logkey", ""]
    # The message is through, and then the database is away.
    calls = []

    def once(run: Any, unit: Any) -> Any:
        calls.append(unit)
        return run(unit) if len(calls) == 1 else fails(run, unit)

    with writes_that(once, streamer):
        streamer.do_updates(1, messenger)
        assert streamer.stop_stream("logkey") is None
    assert stream.name == ("logkey", "")
    assert "was stopped is not noted yet: away" in caplog.text
    with writes_that(fails, streamer), pytest.raises(StoreUnavailable):
        begin(streamer, period=1)
    begin(streamer, period=1)
    streamer.do_updates(9, messenger)
    assert messenger.last() == ["a"]


@pytest.mark.parametrize("stops", [True, False])
def test_what_was_sent_is_noted_at_the_end(kept_place: str, stops: bool) -> None:
    messenger = Recorder()
    with streams_kit.logging_to(kept_place) as streamer:
        begin(streamer, period=1)
        store(streamer, "a")
        calls = []

        def once(run: Any, unit: Any) -> Any:
            calls.append(unit)
            return run(unit) if len(calls) == 1 else fails(run, unit)

        with writes_that(once, streamer):
            streamer.do_updates(1, messenger)
            if stops:
                streamer.stop_stream("logkey")
        if stops:
            streamer.do_updates(2, messenger)
            assert streamer._streams._unended == {}
    with streams_kit.logging_to(kept_place) as streamer:
        begin(streamer, period=1)
        streamer.do_updates(3, messenger)
    assert messenger.last() == ["a"]


# Rows that a filter leaves nothing of.


def test_that_rows_were_looked_at_in_vain_is_noted(
    streamer: SqliteDataStreamer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_reading, "_LOOKED_AT", 5)
    begin(streamer, period=1, formatter=as_it_is, sqlfilter="level > 20")
    store(streamer, *"abcdefghijkl")
    stream = streamer._streams._running["logkey", ""]
    look, looked = stream._next, []

    def killed_at_the_third(upto: int | None) -> Any:
        if len(looked) == 2:
            raise KeyboardInterrupt
        looked.append(upto)
        return look(upto)

    stream._next = killed_at_the_third  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        streamer.do_updates(1, Recorder())
    with streamer._store.read() as connection:
        assert connection.execute(select(positions.c.position)).scalar() == 10
