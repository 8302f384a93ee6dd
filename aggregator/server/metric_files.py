"""The files of the metrics: those of each process that lives, one of a kind for all that ended.

prometheus-client never lets go of what an ended process counted, or the sums would go back. Each
reload and each crash leaves files of ended workers, and a killed collector its gauges.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

_SUMMED = ("counter", "histogram")
_SMALLEST = 65536


@contextmanager
def unchanged(folder: Path) -> Iterator[None]:
    """Keep others from adding up files while these are read in the block."""
    with _locked(folder, fcntl.LOCK_SH):
        yield


def add_up_ended(folder: Path) -> None:
    """Add what ended processes counted to what those before them did, and remove their files.

    Their gauges tell of nothing any more and go.
    """
    with _locked(folder, fcntl.LOCK_EX):
        for file in folder.glob("*_*.db"):
            kind, _, pid = file.stem.rpartition("_")
            if not pid.isdigit() or os.path.exists(f"/proc/{pid}"):
                continue
            if kind in _SUMMED and file.stat().st_size:
                _add(file, folder / f"{kind}_ended.db")
            file.unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, how)
        yield
    finally:
        os.close(lock)


def _add(file: Path, to: Path) -> None:
    _reserve(to, _used(file))
    sums = MmapedDict(str(to))  # type: ignore[no-untyped-call]
    try:
        found = MmapedDict.read_all_values_from_file(str(file))  # type: ignore[no-untyped-call]
        for key, value, *_ in found:
            before, _ = sums.read_value(key)  # type: ignore[no-untyped-call]
            sums.write_value(key, before + value, 0.0)  # type: ignore[no-untyped-call]
    finally:
        sums.close()  # type: ignore[no-untyped-call]


def _used(file: Path) -> int:
    """How many bytes of a file are in use, which its first four bytes tell."""
    with file.open("rb") as opened:
        return int.from_bytes(opened.read(4), sys.byteorder)


def _reserve(file: Path, more: int) -> None:
    """Have room for `more` bytes: who writes to a mapped page that has none is killed."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = max(_SMALLEST, os.fstat(handle).st_size)
        while size < _used(file) + more:
            size *= 2
        os.posix_fallocate(handle, 0, size)
    finally:
        os.close(handle)
