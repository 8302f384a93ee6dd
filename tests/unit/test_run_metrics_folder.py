"""The folder of the metrics: in memory, held while it is used, gone afterwards."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.run import metrics_folder
from aggregator.run.metrics_folder import MetricsFolder

DEAD = 4_194_305  # No process id is larger than 2**22.


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of /dev/shm."""
    folder = tmp_path / "shm"
    folder.mkdir()
    monkeypatch.setattr(metrics_folder, "_MEMORY", folder)
    return folder


@pytest.fixture
def link(tmp_path: Path) -> Path:
    """Where the processes of a service look."""
    return tmp_path / "data" / "metrics"


def test_it_lies_in_memory_and_leaves_nothing(memory: Path, link: Path) -> None:
    folder = MetricsFolder(link)
    assert link.resolve().parent == memory
    assert link.stat().st_mode & 0o777 == 0o700
    folder.leave()
    assert not link.is_symlink()
    assert list(memory.iterdir()) == []


def test_after_a_kill_it_is_found_again_without_the_shares_of_the_dead(
    memory: Path, link: Path
) -> None:
    first = MetricsFolder(link)
    (link / f"counter_{DEAD}.db").touch()
    (link / f"counter_{os.getpid()}.db").touch()
    # A killed process lets go of its locks and of nothing else.
    os.close(first._lock)
    again = MetricsFolder(link)
    assert [file.name for file in link.iterdir()] == [f"counter_{os.getpid()}.db"]
    again.leave()
    assert list(memory.iterdir()) == []


def test_two_services_on_one_data_folder_share_it(memory: Path, link: Path) -> None:
    first, second = MetricsFolder(link), MetricsFolder(link)
    assert len(list(memory.iterdir())) == 1
    first.leave()
    assert link.is_dir()
    second.leave()
    assert list(memory.iterdir()) == []


def test_a_service_that_ends_leaves_alone_what_took_its_place(memory: Path, link: Path) -> None:
    first = MetricsFolder(link)
    link.parent.rename(link.parent.with_name("moved"))
    second = MetricsFolder(link)
    first.leave()
    assert link.is_dir()
    second.leave()


@pytest.fixture
def abandoned(memory: Path) -> Iterator[Path]:
    """What a service left that was killed some minutes ago."""
    folder = memory / "mds-aggregator-metrics-abandoned"
    folder.mkdir(mode=0o700)
    long_ago = time.time() - 600
    os.utime(folder, (long_ago, long_ago))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_what_killed_services_left_is_swept(memory: Path, link: Path, abandoned: Path) -> None:
    stranger = memory / "of-another-program"
    stranger.mkdir()
    folder = MetricsFolder(link)
    assert not abandoned.exists()
    assert stranger.exists()
    folder.leave()


def test_what_is_held_is_not_swept(
    memory: Path, link: Path, tmp_path: Path, abandoned: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "metrics").symlink_to(abandoned)
    held = MetricsFolder(other / "metrics")
    long_ago = time.time() - 600
    os.utime(abandoned, (long_ago, long_ago))
    folder = MetricsFolder(link)
    assert abandoned.exists()
    folder.leave()
    held.leave()
    assert not abandoned.exists()


def test_a_link_that_leads_nowhere_or_to_a_folder_for_all_is_made_anew(
    memory: Path, link: Path, tmp_path: Path
) -> None:
    link.parent.mkdir()
    link.symlink_to(memory / "gone-with-the-last-boot")
    MetricsFolder(link).leave()
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o777)
    theirs.chmod(0o777)
    link.symlink_to(theirs)
    folder = MetricsFolder(link)
    assert link.resolve().parent == memory
    folder.leave()
    assert theirs.exists()


def test_without_memory_it_lies_in_the_data_folder(
    link: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_folder, "_MEMORY", tmp_path / "nowhere")
    folder = MetricsFolder(link)
    assert link.is_dir()
    assert not link.is_symlink()
    folder.leave()
    MetricsFolder(link).leave()
