"""The data folder: made, found usable, and the web side's of one service alone."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aggregator.config import ConfigurationError, Problem

_LOCK = "serve.lock"
#: Seconds that a service which ends is given to leave the folder.
_PATIENCE = 5.0


@contextmanager
def held(folder: Path, *, web: bool) -> Iterator[None]:
    """Hold the folder in the block; a collector without `web` shares it.

    A second web side would take the first one's way to its evaluator. Raises ConfigurationError
    for a folder that can't be used and for one that another service holds.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _refused(
            f"{folder} can't be used: {error.strerror}; name a folder that the service's user "
            "may write to"
        ) from error
    try:
        if web:
            _take(lock, folder)
        yield
    finally:
        os.close(lock)


def _take(lock: int, folder: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            holder = os.pread(lock, 20, 0).decode("ascii", errors="replace").strip()
            raise _refused(
                f"{folder} is the folder of a service that runs (process {holder or 'unknown'}); "
                "give each service its own --data-dir"
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, b"%d\n" % os.getpid(), 0)
        return


def _refused(why: str) -> ConfigurationError:
    return ConfigurationError((Problem(why, key="server.data_dir"),))
