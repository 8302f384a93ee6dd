"""The page on streams: its examples run as they are shown, and what it tells is there."""

from __future__ import annotations

import inspect
import re
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

import aggregator.streams
from aggregator.events import DataBlockEventSubscriber
from aggregator.store.stream_columns import KINDS
from aggregator.streams import LogHandler, Retention, SqliteDataStreamer
from tests import events_kit, notified
from tests.events_kit import Inbox
from tests.pages import Page
from tests.sources_read import ROOT

PAGE = Page(ROOT / "docs" / "streams.md")
system = events_kit.system


def shown(folder: Path) -> list[str]:
    """The examples, in their order, with files in a folder."""
    return [
        re.sub(r'"([\w-]+\.db)"', lambda found: repr(str(folder / found[1])), text)
        for text in PAGE.fenced("python")
    ]


def test_the_examples_work(tmp_path: Path, system: str, capsys: pytest.CaptureFixture[str]) -> None:
    inbox, posted = Inbox(), []
    subscriber = DataBlockEventSubscriber(origin="node7")
    subscriber.on_data = inbox

    def respond(path: str, body: bytes) -> tuple[int, bytes]:
        posted.append((path, body))
        return 202, b""

    names: dict[str, Any] = {}
    printed = []
    with subscriber, notified.http_server(respond) as url:
        for text in shown(tmp_path):
            exec(text.replace("http://127.0.0.1:8090", url), names)
            printed.append(capsys.readouterr().out)
        assert "up" in inbox.next().content.additional_data.data_block
    message, _, to = printed[0].rpartition(" to ")
    assert to == "n1,n2 ['data'] ['data', 'log']\n"
    ((_, *row),) = yaml.safe_load(message)["node7"]["data"]
    assert row == ["root", "Main", 30, "disk is full"]
    assert names["next_time"] > 1.7e9
    assert printed[1].splitlines()[-2:] == ["all 2 0 0 ", "alarms 1 0 0 "]
    assert [path for path, _ in posted] == ["/rows", "/consumer"]
    assert b"StreamMessage" in posted[1][1]
    assert re.fullmatch(r"[0-9a-f]{12}/-/-/\d+-\d+ \('[0-9a-f]{12}\.\d+',\)\n", printed[2])
    assert "disk is 97 % full" in printed[3]


def test_every_type_is_told() -> None:
    table = PAGE.text.partition("| types |")[2].partition("`None` fits")[0]
    told = set(re.findall(r"`([A-Z]+)`", table))
    assert told <= set(KINDS)
    assert {"VARCHAR", "INTEGER", "REAL", "BLOB", "TEXT", "BOOLEAN", "DATE"} <= told


def test_every_call_and_option_is_told() -> None:
    public = [name for name in vars(SqliteDataStreamer) if not name.startswith("_")]
    assert len(public) > 15
    for name in public:
        if name not in ("is_sending", "url"):
            assert re.search(rf"`{name}\b|\.{name}\(", PAGE.text), name
    options = inspect.signature(SqliteDataStreamer.stream).parameters
    for name in options:
        assert name == "self" or re.search(rf"\b{name}\b", PAGE.text), name
    for name in inspect.signature(SqliteDataStreamer).parameters:
        assert re.search(rf"\b{name}\b", PAGE.text), name
    for name in inspect.signature(Retention).parameters:
        assert f"Retention({name}=" in PAGE.text
    defaults = inspect.signature(LogHandler).parameters
    assert f"{defaults['most_waiting'].default:,} records" in PAGE.text
    assert f"`batch_size` rows ({options['batch_size'].default})" in PAGE.text


def test_the_example_of_the_room_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = inspect.getdoc(aggregator.streams) or ""
    example = textwrap.dedent(told.partition("::\n")[2].partition("\nAll of it")[0])
    sent: list[Any] = []
    names = {"time": time, "messenger": lambda *given: sent.append(given)}
    exec(example, names)
    ((message, *to),) = sent
    assert message.endswith("20, 'up']]")
    assert to == ["n1", None, "data"]
