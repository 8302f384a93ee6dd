"""What is read of the rows of a stream at once: never more than a message may hold."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete

from aggregator.store import stream_reading
from aggregator.store.stream_storages import Storage
from aggregator.streams import SqliteDataStreamer
from tests import streams_kit
from tests.streams_kit import Recorder, begin, store

place = streams_kit.place

_MIB = 2**20


def sizes(rows: list[list[Any]], userdata: Any) -> list[int]:
    """A formatter that keeps nothing."""
    return [len(row[-1]) for row in rows]


def test_large_rows_behind_small_ones_do_not_lie_in_memory_together(tmp_path: Path) -> None:
    messenger = Recorder()
    with streams_kit.logging_to(str(tmp_path / "streams.db")) as streamer:
        store(streamer, *("small" for _ in range(16)))
        for _ in range(60):
            store(streamer, "x" * _MIB)
        begin(streamer, formatter=sizes)
        tracemalloc.start()
        try:
            streamer.do_updates(1, messenger)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert [size for one in messenger.sent for size in one.message] == [5] * 16 + [_MIB] * 60
    assert [len(one.message) for one in messenger.sent][:2] == [20, 4]
    assert most < 30 * _MIB


def test_rows_of_many_wide_columns_are_measured(place: str) -> None:
    messenger = Recorder()
    keys = [f"c{n}" for n in range(199)]
    with SqliteDataStreamer(place) as streamer:
        streamer.add_storage("wide", [*keys, "number"], ["TEXT", "BLOB"] * 99 + ["TEXT", "INT"])
        row = ["x" * 20_000, b"y" * 20_000] * 99 + [None, 7]
        for _ in range(3):
            streamer.store_data("wide", 1.0, *row)
        streamer.stream("wide", None, None, None, 1, lambda rows, _: rows)
        streamer.do_updates(1, messenger)
    assert [len(one.message) for one in messenger.sent] == [2, 1]
    assert messenger.rows() == [[1.0, *row]] * 3


def test_rows_that_are_removed_while_they_are_read_hide_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    messenger = Recorder()
    read = stream_reading._rows
    with streams_kit.logging_to(":memory:") as streamer:
        store(streamer, *"abcdefgh")
        begin(streamer, batch_size=4)

        def removed_before(connection: Connection, storage: Storage, *others: Any) -> Any:
            gone = storage.table.c["stream_row"].in_([2, 3])
            connection.execute(delete(storage.table).where(gone))
            return read(connection, storage, *others)

        monkeypatch.setattr(stream_reading, "_rows", removed_before)
        streamer.do_updates(1, messenger)
    assert messenger.last() == list("adefgh")
