"""A Unix socket that only its owner may use, at a path of any length."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aggregator.config import Settings

#: Longest path that fits into an address, with room for its end.
_MAX_PATH = 100


def listen(path: Path) -> socket.socket:
    """A listening socket at `path`, mode 0600, in place of one that was left there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    # The mode must be right from the start: who connects in between stays connected.
    mask = os.umask(0o177)
    try:
        with _short(path) as name:
            listener.bind(name)
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(mask)
    listener.listen(socket.SOMAXCONN)
    return listener


def connect(path: Path, *, timeout: float) -> socket.socket:
    """A connection to the socket at `path`; raises OSError. `timeout` in seconds, for each step."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(timeout)
        with _short(path) as name:
            connection.connect(name)
    except BaseException:
        connection.close()
        raise
    return connection


def identity(path: Path) -> tuple[int, int]:
    """What tells the file at `path` from another that took its place later."""
    found = path.stat()
    return found.st_dev, found.st_ino


def unlink_own(path: Path, own: tuple[int, int]) -> None:
    """Remove the socket's file where it is still `own`: the next process may have come already."""
    with suppress(FileNotFoundError):
        if identity(path) == own:
            path.unlink()


@contextmanager
def _short(path: Path) -> Iterator[str]:
    if len(os.fsencode(path)) <= _MAX_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def query_socket(settings: Settings) -> Path:
    """Where the query evaluator of this host listens."""
    return settings.server.data_dir / "query.sock"
