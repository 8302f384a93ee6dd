"""Saying that a thread waits: for the disk, a database, another process.

Who runs threads may let another one work meanwhile; that is all that it is for.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

_nothing: AbstractContextManager[None] = nullcontext()
_announce: Callable[[], AbstractContextManager[None]] = lambda: _nothing  # noqa: E731


def waiting() -> AbstractContextManager[None]:
    """A block in which the present thread waits for something outside of this process."""
    return _announce()


def announce_to(announce: Callable[[], AbstractContextManager[None]]) -> None:
    """Have `announce` called for each block of `waiting` in this process from now on."""
    global _announce  # noqa: PLW0603  (a process has one pool of threads, or none)
    _announce = announce
