"""The logging agent of the text that the data streamer was made after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from aggregator.streams import SqliteDataStreamer
from tests.streams_kit import Recorder

KEYS = ["name", "thread", "level", "filename", "fileno", "msg", "exception"]
TYPES = ["VARCHAR", "VARCHAR", "INTEGER", "VARCHAR", "INTEGER", "VARCHAR", "VARCHAR"]
NODE = "node7"


class LoggingAgent:
    """The example's agent, of which the formatter is a method."""

    def formatter(self, data: list[list[Any]], userdata: Any) -> str:
        return str(yaml.safe_dump({NODE: {"index": ["time", *KEYS], "data": data}}))


@pytest.fixture
def logstream(place: str) -> Iterator[SqliteDataStreamer]:
    stream = SqliteDataStreamer(sqlitename=place, threadHack=True)
    stream.addStorage("logkey", KEYS, TYPES)
    yield stream
    stream.close()


@pytest.fixture
def messenger() -> Recorder:
    return Recorder()


def store(logstream: SqliteDataStreamer, msg: str, *, level: int = 20, at: float = 1.5) -> None:
    logstream.storeData("logkey", at, "root", "Main", level, "agent.py", 7, msg, None)
