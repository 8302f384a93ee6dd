"""The folder above the scratch folders of one client: made, held, and swept after a crash."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import tempfile
from pathlib import Path

_PREFIX = "aggregator-probes-"


class ProbeRoom:
    """A private folder in the system's place for temporary files, held by a lock until `leave`.

    Making one removes those of processes that were killed before they could, and ends the probes
    in them: their locks are free, whatever container the process ran in.
    """

    def __init__(self) -> None:
        _sweep(Path(tempfile.gettempdir()))
        while (held := _make()) is None:
            continue  # Another process swept it before it was held.
        self.path, self._lock = held

    def leave(self) -> None:
        """Remove the folder. Safe twice."""
        shutil.rmtree(self.path, ignore_errors=True)
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)


def _make() -> tuple[str, int] | None:
    """A new folder and the descriptor of its lock; None where it is gone already."""
    path = tempfile.mkdtemp(prefix=_PREFIX)
    with contextlib.ExitStack() as undo:
        try:
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            undo.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(lock), os.stat(path)):
                undo.pop_all()
                return path, lock
        except FileNotFoundError:
            pass
    return None


def _sweep(place: Path) -> None:
    """Remove the folders of ours that nobody holds."""
    for folder in place.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_uid == os.geteuid():
                _remove_if_free(folder)


def _remove_if_free(folder: Path) -> None:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _end_probes_of(folder)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def _end_probes_of(folder: Path) -> None:
    """Kill the probes that run in a folder of nobody's: all who watched them were killed at once.

    What a probe started is known by its working directory or its environment.
    """
    for process in Path("/proc").iterdir():
        # Another user's can't be read, and is not ours to end.
        with contextlib.suppress(OSError):
            if process.name.isdigit() and _is_beneath(process, f"{folder}/"):
                os.kill(int(process.name), signal.SIGKILL)


def _is_beneath(process: Path, folder: str) -> bool:
    if os.readlink(process / "cwd").startswith(folder):
        return True
    return f"\0TMPDIR={folder}".encode() in b"\0" + (process / "environ").read_bytes()
