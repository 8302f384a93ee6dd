"""The file that tells others our process id."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aggregator.errors import ConfigError


@contextmanager
def pidfile(path: str) -> Iterator[None]:
    """Hold our process id in `path`, empty for none; the file goes when we go.

    Raises ConfigError where a living process holds the file, or it can't be written.
    """
    if not path:
        yield
        return
    target = Path(path)
    holder = _living_holder(target)
    if holder:
        raise ConfigError(
            f"--pidfile {path} belongs to process {holder}, which is running: "
            "end it first or name another file"
        )
    try:
        target.write_text(f"{os.getpid()}\n", encoding="ascii")
    except OSError as error:
        raise ConfigError(f"--pidfile {path} can't be written: {error.strerror}") from error
    try:
        yield
    finally:
        target.unlink(missing_ok=True)


def _living_holder(target: Path) -> int:
    try:
        holder = int(target.read_text(encoding="ascii", errors="replace"))
        if holder <= 0:
            return 0
        os.kill(holder, 0)
    except PermissionError:
        return holder
    except (OSError, ValueError, OverflowError):
        return 0
    return 0 if holder == os.getpid() else holder
