"""The number of this process without asking the system for it each time."""

from __future__ import annotations

import os

_number = os.getpid()


def _renew() -> None:
    global _number  # noqa: PLW0603  (that of a process, of which there is one)
    _number = os.getpid()


os.register_at_fork(after_in_child=_renew)


def this_process() -> int:
    """What `os.getpid` gives."""
    return _number
