"""What runs beneath a process: found by /proc, ended and reaped.

A process that calls `become_subreaper` inherits every orphan beneath it, so that a probe's
children stay reachable from there after a double fork, a setsid or an emptied environment. Zombies
are reaped by pid, never by waitpid(-1), which would take children that others wait for.
This module is loaded into the probe server and imports nothing heavy.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable

MARK = "AGGREGATOR_PROBE_ID"
"""The variable that names the run to every probe: pid of the probe server, a hyphen, a number."""

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_PAUSE = 0.001
_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int | bytes) -> None:
    argument = value if isinstance(value, bytes) else ctypes.c_ulong(value)
    if _libc.prctl(option, argument, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")


def become_subreaper() -> None:
    """Let every orphan beneath this process become its child (Linux, prctl 36)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int) -> None:
    """Ask for SIGKILL when `parent`, the caller's parent, ends; end now if it already has."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def set_name(name: str) -> None:
    """The name that ps and top show, at most 15 bytes."""
    _prctl(_PR_SET_NAME, name.encode()[:15])


def _read(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces = []
        while piece := os.read(file, 65536):
            pieces.append(piece)
    finally:
        os.close(file)
    return b"".join(pieces)


def require_children_files() -> None:
    """Raise OSError where the kernel does not tell a process's children."""
    pid = os.getpid()
    try:
        _read(f"/proc/{pid}/task/{pid}/children")
    except OSError as error:
        wanted = "a kernel with CONFIG_PROC_CHILDREN and /proc mounted"
        raise OSError(error.errno, f"probes need {wanted}: {error}") from error


def children(pid: int) -> list[int]:
    """The children of a process, zombies included; none where it is gone."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                listed = _read(f"/proc/{pid}/task/{thread}/children")
                found.extend(int(child) for child in listed.split())
    return found


def descendants(pid: int, *, spared: Container[int] = ()) -> list[int]:
    """Everything beneath a process, parents before their children, but what is `spared`, and
    beneath that.

    One reading may miss what is being born or handed over: who wants all of them asks again until
    nothing is found.
    """
    found: list[int] = []
    level = [child for child in children(pid) if child not in spared]
    while level:
        found.extend(level)
        level = [
            grandchild
            for child in level
            for grandchild in children(child)
            if grandchild not in spared
        ]
    return found


def signal_all(pids: Iterable[int], number: int) -> None:
    """Send a signal to each; those that are gone, or not ours to end, are passed over."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def reap(pids: Iterable[int]) -> None:
    """Take the zombies among these children of the caller."""
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _is_childless() -> bool:
    """Whether the caller has no child, not even a dead one."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False


def end_descendants(*, within: float, spared: Container[int] = ()) -> tuple[int, bool]:
    """SIGKILL and reap everything beneath the caller, but what is `spared`.

    Returns how many processes that were, and whether none is left after at most `within` seconds:
    a process in uninterruptible sleep, or one that became another user's, stays.
    """
    if _is_childless():
        return 0, True
    ended: set[int] = set()
    deadline = time.monotonic() + within
    while found := descendants(os.getpid(), spared=spared):
        signal_all(found, signal.SIGKILL)
        ended.update(found)
        reap(found)
        if time.monotonic() > deadline:
            return len(ended), False
        time.sleep(_PAUSE)
    return len(ended), True


def end_trees(roots: Iterable[int]) -> None:
    """SIGKILL these children of the caller and everything beneath them; reap what is dead.

    What it orphans becomes the caller's, who must ask again.
    """
    for root in roots:
        beneath = descendants(root)
        signal_all([root, *beneath], signal.SIGKILL)
        reap([root])


def resident_bytes(pids: Iterable[int]) -> int:
    """The memory in use of some processes together; shared pages count for each."""
    pages = 0
    for pid in pids:
        with contextlib.suppress(OSError, IndexError):
            pages += int(_read(f"/proc/{pid}/statm").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
