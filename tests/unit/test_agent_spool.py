"""Reports that wait on a node's disk."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.agent.spool import KeptInFile, Spool
from aggregator.errors import ConfigError


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    found = Spool(tmp_path / "spool")
    yield found
    found.close()


def test_reports_come_in_their_order_under_an_id_that_stays(spool: Spool, tmp_path: Path) -> None:
    spool.put("A", "text/plain", b"one\ntwo")
    spool.put("B", "text/plain", b"")
    first = spool.oldest()
    assert first is not None
    assert first == spool.oldest()
    report, data = first
    assert (report.type, report.content_type, data) == ("A", "text/plain", b"one\ntwo")
    spool.close()
    again = Spool(tmp_path / "spool")
    assert len(again) == 2
    assert again.oldest() == first
    again.done(report)
    second = again.oldest()
    assert second is not None
    assert second[0].id != report.id
    again.refuse(second[0])
    assert again.oldest() is None
    again.put("C", "text/plain", b"")
    assert [path.name for path in sorted((tmp_path / "spool").glob("*.re*"))] == [
        "000000000002.refused",
        "000000000003.report",
    ]
    spool._lock = again._lock


def test_what_a_crash_has_left_is_cleared_away(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "000000000001.new").write_bytes(b"half")
    (folder / "000000000002.report").write_bytes(b"")
    spool = Spool(folder)
    assert spool.oldest() is None
    spool.put("A", "text/plain", b"")
    assert sorted(path.name for path in folder.iterdir()) == [
        "000000000002.refused",
        "000000000003.report",
        "lock",
    ]
    spool.close()


def test_one_agent_has_a_spool(spool: Spool, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="another agent uses"):
        Spool(tmp_path / "spool")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="can't be used"):
        Spool(tmp_path / "file" / "below")


def test_many_collectors_put_at_the_same_time(spool: Spool) -> None:
    def put(type: str) -> None:
        for _ in range(20):
            spool.put(type, "text/plain", type.encode())

    threads = [threading.Thread(target=put, args=(type,)) for type in "ABCD"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = set()
    while (found := spool.oldest()) is not None:
        assert found[1] == found[0].type.encode()
        ids.add(found[0].id)
        spool.done(found[0])
    assert len(ids) == 80


def test_refused_reports_do_not_pile_up(spool: Spool, tmp_path: Path) -> None:
    for _ in range(103):
        spool.put("A", "text/plain", b"")
        found = spool.oldest()
        assert found is not None
        spool.refuse(found[0])
    assert len(list((tmp_path / "spool").glob("*.refused"))) == 100


def test_what_a_collector_saves_is_kept_once_its_report_is(tmp_path: Path) -> None:
    kept = KeptInFile(tmp_path / "C.json")
    with pytest.raises(LookupError):
        kept.load()
    kept.save({"a": 1})
    assert kept.load() == {"a": 1}
    assert not (tmp_path / "C.json").exists()
    kept.store()
    kept.store()
    assert KeptInFile(tmp_path / "C.json").load() == {"a": 1}
    (tmp_path / "C.json").write_bytes(b"")
    with pytest.raises(LookupError):
        KeptInFile(tmp_path / "C.json").load()


def test_numbers_go_on_past_what_was_set_aside(tmp_path: Path) -> None:
    for data in (b"first", b"second"):
        spool = Spool(tmp_path / "spool")
        spool.put("A", "text/plain", data)
        found = spool.oldest()
        assert found is not None
        spool.refuse(found[0])
        spool.close()
    kept = sorted((tmp_path / "spool").glob("*.refused"))
    assert [path.read_bytes().partition(b"\n")[2] for path in kept] == [b"first", b"second"]


def test_what_passes_sets_nothing_aside(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spool.put("A", "text/plain", b"x")

    def fails_with(number: int) -> None:
        def read(path: Path) -> bytes:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(Path, "read_bytes", read)

    fails_with(errno.EMFILE)
    with pytest.raises(OSError, match="Too many open files"):
        spool.oldest()
    monkeypatch.undo()
    assert spool.oldest() is not None
    fails_with(errno.EIO)
    assert spool.oldest() is None
    monkeypatch.undo()
    assert len(list((tmp_path / "spool").glob("*.refused"))) == 1
    assert "is set aside as .refused: it can't be read" in caplog.text


@pytest.mark.parametrize("broken", ["write", "folder"])
def test_a_full_disk_leaves_nothing_of_what_was_not_put(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    really = os.fsync

    def full(descriptor: int) -> None:
        is_folder = os.path.isdir(f"/proc/self/fd/{descriptor}")
        if is_folder == (broken == "folder"):
            raise OSError(errno.ENOSPC, "No space left on device")
        really(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        spool.put("A", "text/plain", b"x")
    assert [path.name for path in (tmp_path / "spool").iterdir()] == ["lock"]
    assert len(spool) == 0
    monkeypatch.undo()
    spool.put("A", "text/plain", b"x")
    assert len(spool) == 1
