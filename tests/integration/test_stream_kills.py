"""Processes that are killed while they store and stream: nothing is lost, nothing has two names."""

from __future__ import annotations

import random
import re
import signal
import time
from pathlib import Path

import pytest

from tests import streams_kit
from tests.integration.streams_process import started, streaming
from tests.streams_kit import BatchRecorder, place_of

kept_place = streams_kit.kept_place

LINE = re.compile(rb"^(\S+) (\S+);$", re.MULTILINE)
THREADS = "8"
#: Rows that are stored, and after how many of them the process is killed. As many as the original
#: is to bear on a file; on a server each costs several times as much.
LOADS = [
    pytest.param("sqlite", 100_000, (15_000, 40_000, 70_000), marks=pytest.mark.timeout(500)),
    pytest.param("postgresql", 6_000, (1_500, 3_500), marks=pytest.mark.postgresql),
]


def lines(path: Path) -> list[tuple[str, str]]:
    """The whole lines of a file: ids and texts."""
    if not path.exists():
        return []
    return [(name.decode(), text.decode()) for name, text in LINE.findall(path.read_bytes())]


def until_acknowledged(folder: Path, count: int) -> None:
    path, deadline, found = folder / "acknowledged", time.monotonic() + 400, 0
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with path.open("rb") as file:
        while found < count:
            assert time.monotonic() < deadline
            time.sleep(0.2)
            found += file.read().count(b";")


@pytest.mark.long
@pytest.mark.parametrize(("kind", "rows", "kills"), LOADS)
def test_no_row_is_lost_and_none_has_two_names(
    kind: str, rows: int, kills: tuple[int, ...], tmp_path: Path
) -> None:
    with place_of(kind, tmp_path) as place:
        for run, count in enumerate((*kills, rows)):
            process = started("work", place, str(tmp_path), str(run), THREADS)
            try:
                until_acknowledged(tmp_path, count)
                time.sleep(random.random() * 0.1)
                assert process.poll() is None
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait(20)
        drained = started("drain", place, str(tmp_path))
        assert drained.wait(100) == 0
    acknowledged, sent = lines(tmp_path / "acknowledged"), lines(tmp_path / "sent")
    assert len(acknowledged) >= rows
    assert set(acknowledged) <= set(sent)
    names: dict[str, str] = {}
    texts: dict[str, str] = {}
    order: list[int] = []
    for name, text in sent:
        if name not in names:
            order.append(int(name.partition(".")[2]))
        assert names.setdefault(name, text) == text
        assert texts.setdefault(text, name) == name
    assert order == list(range(1, len(order) + 1))
    # Twice comes only what a kill left in doubt: a turn's last message for each.
    assert len(sent) - len(names) <= len((*kills, rows)) * 1000


def test_what_was_in_doubt_comes_again_under_the_same_names(
    kept_place: str, tmp_path: Path
) -> None:
    process = started("die", kept_place, str(tmp_path))
    assert process.wait(30) == -signal.SIGKILL
    before = lines(tmp_path / "sent")
    assert [text for _, text in before] == list("abc")
    messenger = BatchRecorder()
    with streaming(kept_place) as streamer:
        # What comes now is no part of the message that was in doubt.
        streamer.store_data("rows", 1, "d")
        streamer.do_updates(1, messenger)
        streamer.do_updates(2, messenger)
    (again, batch), (rest, _) = messenger.sent
    assert [(row[0], row[-1]) for row in again] == before
    assert batch.id == (tmp_path / "batch").read_text()
    assert [row[-1] for row in rest] == ["d"]
