"""Services that begin as copies of a loaded process are to their tests what started ones are."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.loaded import Copy, Loaded
from tests.member import gone
from tests.service import running_service
from tests.waiting import until


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture(scope="module")
def loaded() -> Iterator[Loaded]:
    with contextlib.closing(Loaded("service", module="aggregator")) as made:
        yield made


def play(loaded: Loaded, log: Path, *args: str) -> Copy:
    with log.open("wb") as stream:
        copy = loaded.play(list(args), out=stream.fileno(), log=stream.fileno())
        assert isinstance(copy, Copy)
        return copy


@pytest.fixture
def waiting(loaded: Loaded, tmp_path: Path, log: Path) -> Iterator[Copy]:
    """A service that runs until it is told to end."""
    args = ["serve", "--port", "0", "--data-dir", str(tmp_path / "data")]
    copy = play(loaded, log, *args)
    until(lambda: b"listening on" in log.read_bytes(), what="the start")
    yield copy
    copy.kill()
    copy.wait(10)


def test_its_status_and_what_it_says_are_known(loaded: Loaded, log: Path) -> None:
    wrong = play(loaded, log, "serve", "--port", "x")
    assert wrong.wait(30) == wrong.poll() == 2
    assert "'x' is not a valid integer" in log.read_text()


def test_it_is_told_to_end(waiting: Copy) -> None:
    assert waiting.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0.01)
    waiting.terminate()
    assert waiting.wait(15) == 0
    assert gone(waiting.pid)


def test_it_is_killed_and_takes_its_roles_along(waiting: Copy) -> None:
    roles = until(lambda: psutil.Process(waiting.pid).children(), what="roles")
    waiting.kill()
    assert waiting.wait(10) == -9
    until(lambda: all(gone(role.pid) for role in roles), what="roles gone")


def test_it_has_no_file_of_who_made_it(waiting: Copy) -> None:
    assert psutil.Process(waiting.pid).net_connections("unix") == []


def test_where_the_environment_was_set_it_is_started_anew(
    loaded: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert loaded.fits()
    monkeypatch.setenv("AGGREGATOR_SERVER_WORKERS", "1")
    assert not loaded.fits()
    with running_service(tmp_path) as running:
        assert isinstance(running.process, subprocess.Popen)
