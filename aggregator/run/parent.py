"""Ties the life of a process to its parent's: when the parent is gone, however it went, it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with(parent: int, *, by: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send `by` to this process when its parent, whose id is `parent`, ends.

    The signal is also sent when the thread that spawned this process ends, so parents spawn
    from their main thread. A parent that was gone before is noticed by its id.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(by), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        sys.exit(1)
