"""Streams that can't be are refused, with what was given and what was expected."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.dialects import registry

from aggregator.errors import StorageUnknown, StreamRefused, StreamValueError
from aggregator.streams import SqliteDataStreamer
from tests import streams_kit
from tests.streams_kit import as_it_is, begin

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"period": 0}, "period must be"),
    ({"period": float("nan")}, "period must be"),
    ({"period": "5"}, "period must be"),
    ({"formatter": None}, "a formatter is called"),
    ({"batch_size": 0}, "batch_size must be"),
    ({"set_aside_after": 0}, "set_aside_after must be"),
    ({"name": "a b"}, "can't name a stream"),
    ({"start": "soon"}, "start must be"),
    ({"start": float("inf")}, "start must be"),
    ({"parameters": [1]}, "no sqlfilter"),
    ({"sqlfilter": "level > ?", "parameters": "1"}, "parameters must be a list"),
    ({"sqlfilter": "msg LIKE ?", "parameters": ["x" * 4001]}, "4001 characters or bytes; 4000 may"),
    ({"sqlfilter": "level > 'x'"}, "compares a number with a text"),
]


@pytest.mark.parametrize(("options", "complaint"), WRONG, ids=range(len(WRONG)))
def test_a_stream_that_can_not_be_is_refused(options: dict[str, Any], complaint: str) -> None:
    with streams_kit.logging_to(":memory:") as streamer:
        with pytest.raises((StreamRefused, StreamValueError), match=complaint):
            begin(streamer, **options)
        assert streamer.status() == []


@pytest.mark.parametrize(
    "given",
    [
        7,
        [""],
        ["a", 7],
        [None],
        {"a": 1},
        b"n1",
        ["x" * 2000],
        "a\0",
        ["x\x1by"],
        "n1,\ud800",
        ["\ufffe"],
    ],
)
def test_destinations_that_are_none_are_refused(given: Any) -> None:
    with (
        streams_kit.logging_to(":memory:") as streamer,
        pytest.raises(StreamRefused, match=r"dstgroups (must be|holds)"),
    ):
        streamer.stream("logkey", None, given, None, 1, as_it_is)


@pytest.mark.parametrize(
    "given",
    [
        [f"{n}" + "x" * 998 for n in range(9)],
        {f"n{n}" for n in range(2000)},
        # Bytes count as they are written there.
        ["ü" * 900, "ü" * 500],
    ],
)
def test_destinations_that_no_head_of_a_request_can_hold_are_refused(given: Any) -> None:
    with (
        streams_kit.logging_to(":memory:") as streamer,
        pytest.raises(StreamRefused, match=r"have \d+ bytes, percent-encoded; 8192 may be"),
    ):
        streamer.stream("logkey", "n1", given, None, 1, as_it_is)


def test_the_table_key_may_be_given_as_the_original_calls_it() -> None:
    with streams_kit.logging_to(":memory:") as streamer:
        to: dict[str, Any] = {"dstnodes": "n1", "period": 1, "formatter": as_it_is}
        streamer.stream(tablekey="logkey", **to)
        streamer.stream(table_key="logkey", name="other", **to)
        assert [one.table_key for one in streamer.status()] == ["logkey", "logkey"]
        with pytest.raises(StreamRefused, match="give one of them"):
            streamer.stream("logkey", tablekey="logkey", **to)
        with pytest.raises(StorageUnknown, match="there is no storage None"):
            streamer.stream(**to)
        with pytest.raises(StreamRefused, match="period must be"):
            streamer.stream("logkey", formatter=as_it_is)


def test_what_nobody_has_tried_is_refused() -> None:
    registry.register("otherdb.pysqlite", "sqlalchemy.dialects.sqlite.pysqlite", "dialect")
    with pytest.raises(StreamRefused, match=r"'otherdb\+pysqlite' is no database that streams are"):
        SqliteDataStreamer("otherdb+pysqlite:///x.db")
