"""What can't be read costs the other files of a folder nothing."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from aggregator.reports import addons
from tests.unit.test_reports_original import shipped


def reader(folder: Path) -> Any:
    found = shipped("file_reader").FileReader
    return type("FileReader", (found,), {"folder": str(folder), "kept": addons.InMemory()})()


def names(report: Any) -> list[str]:
    return [file.name for file in report[1].files] if report else []


def test_a_file_that_can_not_be_read_is_left_out_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in "abc":
        (tmp_path / name).write_bytes(b"x")
    really = os.open

    def refused(path: Any, flags: int, *args: Any, **given: Any) -> int:
        if str(path).endswith("/b"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return really(path, flags, *args, **given)

    own = reader(tmp_path)
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        # As root, who may read all, it can't be made otherwise.
        patched.setattr(os, "open", refused)
        assert names(own.getReport(0.0)) == ["a", "c"]
        assert own.getReport(1.0) is None
    assert caplog.messages == ["left out b: Permission denied"]
    assert names(own.getReport(2.0)) == ["b"]


def test_what_is_too_large_or_has_an_odd_name_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = reader(tmp_path)
    monkeypatch.setitem(type(own).__mro__[1].getReport.__globals__, "LARGEST", 10)
    (tmp_path / os.fsdecode(b"a\xff")).write_bytes(b"x")
    (tmp_path / "b").write_bytes(b"x" * 11)
    for name in "cde":
        (tmp_path / name).write_bytes(b"x" * 6 if name == "d" else b"x" * 4)
    assert names(own.getReport(0.0)) == ["c", "d"]
    assert names(own.getReport(1.0)) == ["e"]
    assert own.getReport(2.0) is None


def test_a_file_is_not_taken_for_reported_while_that_is_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = reader(tmp_path)
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").write_bytes(b"x")
    with monkeypatch.context() as patched:
        patched.setattr(os, "lstat", lambda path: 1 / 0 if path.endswith("b") else os.stat(path))
        with pytest.raises(ZeroDivisionError):
            own.getReport(0.0)
    assert names(own.getReport(1.0)) == ["a", "b"]
