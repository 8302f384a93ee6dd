"""The folder in which the processes of a host keep their shares of the metrics: in memory.

The shares are mapped files, and who writes to a mapped page that a full disk has no room for is
killed (SIGBUS). So the folder lies in /dev/shm, where there is one, and a link in the data folder
leads to it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

_MEMORY = Path("/dev/shm")
_PREFIX = "mds-aggregator-metrics-"
#: Seconds after which a folder that nobody holds is that of a service that was killed.
_ABANDONED = 60


class MetricsFolder:
    """Made, or found again, and held by a lock until `leave`; without what ended processes left."""

    def __init__(self, link: Path) -> None:
        self._link = link
        while (held := _hold(link)) is None:
            continue  # Another service swept it before it was held.
        self._lock = held
        for file in link.glob("*.db"):
            pid = file.stem.rpartition("_")[2]
            if not pid.isdigit() or not os.path.exists(f"/proc/{pid}"):
                file.unlink(missing_ok=True)
        _sweep()

    def leave(self) -> None:
        """Remove the folder, unless another service holds it too."""
        with contextlib.suppress(OSError):
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            target = self._link.resolve()
            # The data folder may have been replaced, and then the link is another service's.
            own = os.path.samestat(os.fstat(self._lock), os.stat(target))
            if own and target != self._link:
                self._link.unlink()
                shutil.rmtree(target, ignore_errors=True)
        os.close(self._lock)


def _hold(link: Path) -> int | None:
    """The descriptor of the folder's lock; None where the folder is gone already.

    The lock is shared: a second service on the data folder, such as a collector alone, has it too.
    """
    if not _is_own(link):
        _make(link)
    with contextlib.ExitStack() as undo:
        try:
            lock = os.open(link, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            undo.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_SH)
            if os.path.samestat(os.fstat(lock), os.stat(link)):
                undo.pop_all()
                return lock
        except FileNotFoundError:
            pass
    return None


def _is_own(link: Path) -> bool:
    try:
        found = os.stat(link)
    except OSError:
        return False
    if not link.is_symlink() and os.access(_MEMORY, os.W_OK):
        return False
    # A name in /dev/shm is free for anybody after the machine was started again.
    return found.st_uid == os.getuid() and not found.st_mode & 0o077


def _make(link: Path) -> None:
    link.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if link.is_dir() and not link.is_symlink():
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    try:
        folder = tempfile.mkdtemp(prefix=_PREFIX, dir=_MEMORY)
    except OSError:
        link.mkdir(mode=0o700)
    else:
        link.symlink_to(folder)


def _sweep() -> None:
    """Remove the folders of services of this user that were killed and not started again."""
    for folder in _MEMORY.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            found = folder.lstat()
            if found.st_uid != os.getuid() or time.time() - found.st_mtime < _ABANDONED:
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
