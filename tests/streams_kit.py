"""For tests of streams: a place for each kind of database, and a messenger that remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from aggregator.streams import Batch, BatchMessenger, SqliteDataStreamer
from tests.databases import DATABASES, database

#: The kinds of places, as parameters of a fixture.
PLACES = ("memory", *DATABASES)
KEYS = ["name", "level", "msg"]
TYPES = ["VARCHAR", "INTEGER", "VARCHAR"]
PERIOD = 5.0


class Sent(NamedTuple):
    """What a messenger was given."""

    message: Any
    nodes: Any
    groups: Any
    docks: Any


class Recorder:
    """A messenger as the original has it; `fail` may raise before something is taken."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.fail: Callable[[], None] = lambda: None

    def send(self, message: Any, nodes: Any, groups: Any, docks: Any) -> None:
        """Take a message."""
        self.fail()
        self.sent.append(Sent(message, nodes, groups, docks))

    def rows(self) -> list[list[Any]]:
        """All rows of messages that are lists of rows."""
        return [row for one in self.sent for row in one.message]

    def last(self) -> list[Any]:
        """The last value of each row."""
        return [row[-1] for row in self.rows()]


class BatchRecorder(BatchMessenger):
    """A messenger that is told of batches; `fail` may raise before one is taken."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, Batch]] = []
        self.tried: list[Batch] = []
        self.fail: Callable[[], None] = lambda: None

    def send_batch(self, message: Any, batch: Batch) -> None:
        self.tried.append(batch)
        self.fail()
        self.sent.append((message, batch))

    def last(self) -> list[Any]:
        """The last value of each row."""
        return [row[-1] for message, _ in self.sent for row in message]


def as_it_is(rows: list[list[Any]], userdata: Any) -> list[list[Any]]:
    """A formatter whose messages are the rows."""
    return rows


@contextmanager
def place_of(kind: str, folder: Path) -> Iterator[str]:
    """A place for streams of a kind, empty, gone at the end."""
    if kind == "memory":
        yield ":memory:"
    elif kind == "sqlite":
        yield str(folder / "streams.db")
    else:
        with database(kind, folder) as url:
            yield url


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty place of each kind."""
    with place_of(request.param, tmp_path) as found:
        yield found


@pytest.fixture(params=DATABASES)
def kept_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty place of each kind that outlives its process."""
    with place_of(request.param, tmp_path) as found:
        yield found


@pytest.fixture
def streamer(place: str) -> Iterator[SqliteDataStreamer]:
    """A streamer on each kind of place, with a storage ``logkey``."""
    with logging_to(place) as made:
        yield made


@contextmanager
def logging_to(place: str, **options: Any) -> Iterator[SqliteDataStreamer]:
    """A streamer with a storage ``logkey`` of `KEYS`."""
    with SqliteDataStreamer(place, **options) as made:
        made.add_storage("logkey", KEYS, TYPES)
        yield made


def store(streamer: SqliteDataStreamer, *texts: str, level: int = 20, at: float = 1.0) -> list[str]:
    """Store a row for each text; their ids."""
    return [streamer.store_data("logkey", at, "a", level, text) for text in texts]


def begin(streamer: SqliteDataStreamer, **options: Any) -> None:
    """Stream ``logkey`` to nobody in particular, the rows as they are."""
    wanted: dict[str, Any] = {"period": PERIOD, "formatter": as_it_is} | options
    streamer.stream("logkey", None, None, None, **wanted)
