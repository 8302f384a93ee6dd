"""Processes that begin as copies of this one: what it has loaded, they need not load again."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

log = logging.getLogger(__name__)

_PR_SET_NAME = 15
#: What roles want of malloc, by the variables that an operator may set and the numbers of malloc.h:
#: pieces of replies come and go in many threads, and without these what is free again stays with
#: the process, by a hundred megabytes.
_ALLOCATION = (("MALLOC_ARENA_MAX", -8, 2), ("MALLOC_MMAP_THRESHOLD_", -3, 128 * 1024))
_FAILED = 1
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(slots=True)
class Forked:
    """A child of this process, which alone waits for it."""

    pid: int
    #: The exit status, or minus the signal that ended it; None as long as it is not known.
    status: int | None = None

    def poll(self) -> int | None:
        """The status, where the child has ended."""
        if self.status is None:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            if found:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status

    def wait(self, until: float) -> bool:
        """Wait until the child has ended or an instant (monotonic) has passed; whether it has."""
        if self.poll() is not None:
            return True
        descriptor = os.pidfd_open(self.pid)
        try:
            select.select([descriptor], [], [], max(0.0, until - time.monotonic()))
        finally:
            os.close(descriptor)
        return self.poll() is not None

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if the child has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


def fork(play: Callable[[], int], *, name: str, keep: Collection[int]) -> Forked:
    """Have a copy of this process call `play`, and end with the status that this returns.

    The copy has the standard files, with nothing to read, and the descriptors in `keep`. This
    process must have one thread only, since no other would be in the copy.
    """
    _flush()
    pid = os.fork()
    if pid:
        return Forked(pid)
    status = _FAILED
    try:
        _settle(name, keep)
        status = _played(play, name)
    finally:
        # What is on the stack above is the parent's, and nothing of it must be undone here.
        try:
            _shut_down()
        finally:
            os._exit(status)


def _played(play: Callable[[], int], name: str) -> int:
    try:
        return play()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BaseException:
        log.exception("bug in the role %s", name)
    return _FAILED


def _settle(name: str, keep: Collection[int]) -> None:
    """Be a process of its own."""
    # What was installed since this process's parent looked for modules is to be found.
    importlib.invalidate_caches()
    _libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)
    with contextlib.suppress(AttributeError):  # Not every C library has it.
        for variable, parameter, value in _ALLOCATION:
            if variable not in os.environ:
                _libc.mallopt(parameter, value)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number in os.listdir("/proc/self/fd"):
        if int(number) > 2 and int(number) not in keep:
            with contextlib.suppress(OSError):  # The listing's own is among them.
                os.close(int(number))


def _shut_down() -> None:
    """End as an interpreter does, without what the parent has left to do at its own end."""
    # As multiprocessing does: idle threads of pools must be told before they can be waited for.
    threading._shutdown()  # type: ignore[attr-defined]
    _flush()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
