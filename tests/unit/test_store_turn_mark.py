"""The number by which readers know that nothing was written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.store.turn_mark import TurnMark

HELD = """
import os, sys
from aggregator.store.turn_mark import TurnMark
mark = TurnMark(os.open(sys.argv[1], os.O_RDWR))
mark.begin()
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    number = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    yield number
    os.close(number)


def test_every_turn_gives_another_number_and_none_while_it_lasts(file: int) -> None:
    mark, other = TurnMark(file), TurnMark(file)
    seen = [mark.seen()]
    for _ in range(3):
        other.begin()
        assert mark.seen() is None
        other.end()
        seen.append(mark.seen())
    assert None not in seen
    assert len(set(seen)) == 4


def test_a_writer_that_is_killed_leaves_readers_without_an_answer_until_the_next_turn(
    file: int, tmp_path: Path
) -> None:
    mark = TurnMark(file)
    before = mark.seen()
    done = subprocess.run([sys.executable, "-c", HELD, str(tmp_path / "lock")], check=False)
    assert done.returncode == -9
    assert mark.seen() is None
    mark.begin()
    assert mark.seen() is None
    mark.end()
    assert mark.seen() not in (None, before)


def test_the_number_outlives_the_processes(file: int, tmp_path: Path) -> None:
    mark = TurnMark(file)
    mark.begin()
    mark.end()
    last = mark.seen()
    mark.close()
    again = os.open(tmp_path / "lock", os.O_RDWR)
    assert TurnMark(again).seen() == last
    os.close(again)
