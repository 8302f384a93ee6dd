"""The probe server's children that are let go: keepers that leave, and what those orphaned.

This module is loaded into the probe server and imports nothing heavy.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time

from aggregator.collect import probe_tree
from aggregator.collect.probe_scratch import Folders

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set

#: Seconds after which one that was let go must have left; longer than a keeper tries to end what
#: is beneath it.
_PATIENCE = 90.0


class Endings:
    """Reaps them; kills who does not leave, and deletes what who was killed could not."""

    def __init__(self, scratch: str) -> None:
        self._scratch = scratch
        self._until: dict[int, float] = {}

    def __bool__(self) -> bool:
        return bool(self._until)

    def add(self, pid: int) -> None:
        """Expect a child to leave."""
        self._until[pid] = time.monotonic() + _PATIENCE

    def reap(self, others: Set[int]) -> None:
        """Take who has left; kill the children that are unknown here and not among `others`."""
        killed = [pid for pid in list(self._until) if self._was_killed(pid)]
        known = self._until.keys() | others
        strangers = [pid for pid in probe_tree.children(os.getpid()) if pid not in known]
        probe_tree.end_trees(strangers)
        for pid in strangers:
            self.add(pid)
        self._clean_after(killed)

    def _was_killed(self, pid: int) -> bool:
        """Whether one has left, and not by itself."""
        status = 0
        with contextlib.suppress(ChildProcessError):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended == 0:
                if self._until[pid] < time.monotonic():
                    probe_tree.signal_all([pid], signal.SIGKILL)
                return False
        del self._until[pid]
        return os.WIFSIGNALED(status)

    def _clean_after(self, killed: list[int]) -> None:
        """Delete the folders of the killed, in a process that may take its time."""
        left = [Folders(self._scratch, str(pid)) for pid in killed]
        if not any(folders.there() for folders in left):
            return
        with contextlib.suppress(OSError):
            pid = os.fork()
            if pid == 0:
                _remove(left)
            self.add(pid)


def _remove(left: list[Folders]) -> None:
    """Delete the folders and end the process, which was forked for it."""
    try:
        os.closerange(3, 1 << 20)  # Ends of keepers' links, which must close with the server.
        for folders in left:
            folders.remove()
    finally:
        os._exit(0)
