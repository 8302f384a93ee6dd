"""Start one probe from its keeper: pipes, process group, limits, environment, exec.

By posix_spawn, which copies nothing of the keeper: a fork takes three times the CPU of all that a
small probe does. What it can't set beforehand is set at once when the executable has taken over.
This module is loaded into the probe server and imports nothing heavy.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_DEFAULTS = (
    signal.SIGINT,
    signal.SIGQUIT,  # A shell ignores it for what it starts in the background.
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGPIPE,
    signal.SIGXFSZ,
)


class NotStarted(Exception):
    """The system refused to start the executable: the errno, 0 without one, and its text."""

    def __init__(self, error: OSError | ValueError) -> None:
        self.errno = (error.errno or 0) if isinstance(error, OSError) else 0
        self.text = os.strerror(self.errno) if self.errno else f"{type(error).__name__}: {error}"
        super().__init__(self.text)


class Spawned:
    """A probe that was started: its pid, a pidfd, and the keeper's ends of three pipes."""

    __slots__ = ("errors", "input", "output", "pid", "pidfd")

    def __init__(self, order: dict[str, Any], *, scratch: str) -> None:
        """Raises NotStarted, and OSError where the system lacks what it takes."""
        theirs, ours = [], []
        try:
            for number in range(3):
                read, write = os.pipe()
                theirs.append(write if number else read)
                ours.append(read if number else write)
            self.pid = _start(order, ends=theirs, scratch=scratch)
        except BaseException:
            _close(ours)
            raise
        finally:
            _close(theirs)
        self.input, self.output, self.errors = ours
        for end in ours:
            os.set_blocking(end, False)
        self.pidfd = os.pidfd_open(self.pid)
        _limit(self.pid, order.get("memory_limit"))


def _close(ends: list[int]) -> None:
    for end in ends:
        os.close(end)


def _start(order: dict[str, Any], *, ends: list[int], scratch: str) -> int:
    """The pid of the executable, which has taken over."""
    # The probe takes over the directory; it is the keeper's own for so long.
    os.chdir(scratch)
    try:
        return os.posix_spawn(
            order["argv"][0],
            order["argv"],
            {**order["env"], "HOME": scratch, "TMPDIR": scratch},
            file_actions=[(os.POSIX_SPAWN_DUP2, end, to) for to, end in enumerate(ends)],
            setpgroup=0,
            setsigdef=_DEFAULTS,
        )
    except (OSError, ValueError) as error:
        raise NotStarted(error) from error
    finally:
        os.chdir("/")


def _limit(pid: int, memory: int | None) -> None:
    """First in line when the host runs out of memory; the limit of `memory` bytes.

    The limit is on data (RLIMIT_DATA), not on address space: Go, Java and Node reserve far more
    addresses than they ever use. A set-user-ID program takes no limit from another user.
    """
    with contextlib.suppress(OSError):
        score = os.open(f"/proc/{pid}/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(score, b"500")
        finally:
            os.close(score)
    if memory is not None:
        with contextlib.suppress(OSError):
            resource.prlimit(pid, resource.RLIMIT_DATA, (memory, memory))
