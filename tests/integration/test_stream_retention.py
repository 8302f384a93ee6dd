"""Which rows are removed, and that no other is."""

from __future__ import annotations

from typing import Any

import pytest

from aggregator.errors import StreamRefused
from aggregator.streams import Retention, SqliteDataStreamer, pruning
from tests import streams_kit
from tests.streams_kit import Recorder, begin, logging_to, store

place = streams_kit.place


def kept(streamer: SqliteDataStreamer, now: float) -> list[Any]:
    """What a stream that begins now is sent."""
    messenger = Recorder()
    begin(streamer, name="looking", start="oldest")
    streamer._streams._running["logkey", "looking"].turn(now, messenger)
    streamer.stop_stream("logkey", "looking")
    return messenger.last()


def test_nothing_is_removed_by_default(place: str) -> None:
    with logging_to(place) as streamer:
        store(streamer, *"abc")
        begin(streamer)
        for now in (1, 1e9):
            streamer.do_updates(now, Recorder())
        assert kept(streamer, 2e9) == list("abc")


def test_rows_that_all_streams_have_sent_are_removed(place: str) -> None:
    messenger = Recorder()
    with logging_to(place, retention=Retention(sent=True)) as streamer:
        store(streamer, *"abc")
        streamer.do_updates(1, messenger)
        assert kept(streamer, 1) == list("abc"), "without a stream nothing was sent"
        begin(streamer, name="quick")
        begin(streamer, name="slow", sqlfilter="level > 20", batch_size=1)
        streamer.do_updates(10, messenger)
        store(streamer, "d")
        # Neither has sent what comes after.
        streamer.do_updates(11, messenger)
        assert kept(streamer, 11) == ["d"]
        streamer.stop_stream("logkey", "slow")
        streamer.do_updates(20, messenger)
        assert kept(streamer, 20) == []


def test_what_a_stream_can_not_send_stays(place: str) -> None:
    def send(message: Any, nodes: Any, *others: Any) -> None:
        if nodes:
            raise OSError("away")

    with logging_to(place, retention=Retention(sent=True)) as streamer:
        streamer.stream("logkey", None, None, None, 1, lambda rows, _: rows, name="well")
        streamer.stream("logkey", "n1", None, None, 1, lambda rows, _: rows, name="dead")
        store(streamer, *"abc")
        for now in range(100, 200, 10):
            streamer.do_updates(now, send)
        assert kept(streamer, 300) == list("abc")


def test_rows_are_removed_by_age(place: str) -> None:
    messenger = Recorder()
    with logging_to(place, retention=Retention(age=60)) as streamer:
        for at in (100, 130, 90, 150, 100):
            store(streamer, str(at), at=at)
        streamer.do_updates(159.9, messenger)
        # That which lies behind others that are not old is removed all the same.
        assert kept(streamer, 159.9) == ["100", "130", "150", "100"]
        streamer.do_updates(165, messenger)
        assert kept(streamer, 165) == ["130", "150"]
        streamer.do_updates(195, messenger)
        assert kept(streamer, 195) == ["150"]


def test_rows_of_the_future_keep_no_others_behind_them(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_MOST", 5)
    monkeypatch.setattr(pruning, "_ROUNDS", 3)
    messenger = Recorder()
    with logging_to(place, retention=Retention(age=60)) as streamer:
        # One clock gave milliseconds, for longer than one look goes.
        for n in range(12):
            store(streamer, f"future {n}", at=1_769_860_800_000.0)
        for n in range(40):
            store(streamer, f"old {n}", at=100)
        for n in range(12):
            store(streamer, f"young {n}", at=1000)
        for n in range(30):
            streamer.do_updates(1000 + n, messenger)
        expected = [*(f"future {n}" for n in range(12)), *(f"young {n}" for n in range(12))]
        assert kept(streamer, 1030) == expected
        # And once more, when it has come through.
        store(streamer, "late", at=1)
        for n in range(20):
            streamer.do_updates(1031 + n, messenger)
        assert kept(streamer, 1051) == expected
        assert streamer.lost_rows == 0


def test_what_was_set_aside_is_forgotten_with_its_row(place: str) -> None:
    def formatter(rows: list[list[Any]], userdata: Any) -> Any:
        if rows[0][-1].startswith("poison"):
            raise ValueError("can't be formatted")
        return rows

    with logging_to(place, retention=Retention(age=60)) as streamer:
        begin(streamer, period=1, formatter=formatter, set_aside_after=1, batch_size=1)
        store(streamer, "poison 1", "good", at=100)
        store(streamer, "poison 2", at=150)
        for now in range(140, 150):
            streamer.do_updates(now, Recorder())
        assert [one.row for one in streamer.set_aside("logkey")] == [1, 3]
        streamer.do_updates(170, Recorder())
        assert [one.row for one in streamer.set_aside("logkey")] == [3]


def test_rows_are_removed_by_number(place: str) -> None:
    with logging_to(place, retention=Retention(count=3)) as streamer:
        store(streamer, *"abcde")
        streamer.do_updates(1, Recorder())
        assert kept(streamer, 1) == list("cde")


def test_what_was_not_sent_and_is_removed_is_counted(
    place: str, caplog: pytest.LogCaptureFixture
) -> None:
    messenger = Recorder()

    def away() -> None:
        raise OSError("away")

    with logging_to(place, retention=Retention(count=2)) as streamer:
        begin(streamer, period=1)
        store(streamer, "a")
        streamer.do_updates(1, messenger)
        messenger.fail = away
        store(streamer, *"bcde")
        streamer.do_updates(10, messenger)
        assert "2 rows of logkey were removed that not every stream had sent" in caplog.text
        assert streamer.lost_rows == 2
        messenger.fail = lambda: None
        streamer.do_updates(100, messenger)
    assert messenger.last() == list("ade")


def test_many_rows_are_removed_in_small_transactions() -> None:
    with logging_to(":memory:", retention=Retention(count=10)) as streamer:
        for start in range(0, 6000, 1000):
            jobs = [
                streamer.submit_data("logkey", 1.0, "a", 1, str(n))
                for n in range(start, start + 1000)
            ]
            for job in jobs:
                job.result(10)
        streamer.do_updates(1, Recorder())
        assert kept(streamer, 1) == [str(n) for n in range(5990, 6000)]


@pytest.mark.parametrize("options", [{"age": 0}, {"age": float("inf")}, {"count": 0}])
def test_a_retention_that_keeps_nothing_is_refused(options: Any) -> None:
    with pytest.raises(StreamRefused, match="must be"):
        Retention(**options)
