"""The process that spawns every probe and lives no longer than its socket to the collector.

Forking from a small, single-threaded process costs a fraction of a millisecond, where forking
from the collector would cost several and copy what it holds. The server forks one keeper for each
run (see `probe_keeper`); the keeper starts the executable, watches it and sends the result's
frame, which the server passes on. So one slow or flooding probe delays no other.

At the end of its socket, however the collector ended, the server kills and reaps everything
beneath it, removes the scratch folder and leaves. It ignores SIGINT, SIGTERM and SIGHUP, which a
terminal or an init system sends to all processes of a service at once: its socket tells it when.

Frames (`probe_frames`), from the collector:

- ``{"op": "run", "id", "argv", "env", "timeout", "max_output", "memory_limit"}``, the body is
  standard input. ``argv[0]`` is an absolute path, ``timeout`` is in seconds, ``max_output`` and
  ``memory_limit`` (or null) are in bytes.
- ``{"op": "end", "id"}``: nobody waits for this run any more; it is killed without a result.

To the collector:

- ``{"op": "ready"}``, once.
- ``{"id", "outcome", "status", "stderr", "seconds", "left_behind"}``, the body is standard
  output. The outcomes are those of `probe_client.ProbeResult`.

Everything imported here is small and of the standard library: run by path of the package's root,
with ``python -I -S``, the process takes about 11 MB, a keeper 0.3 MB more.
"""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import signal
import socket
import sys

from aggregator.collect import probe_keeper, probe_scratch, probe_tree
from aggregator.collect.probe_frames import FrameBuffer, frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PIECE = 262144
_RECHECK = 0.02
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Run:
    """One keeper as the server sees it: its pid, the link to it, the reply that comes over it."""

    __slots__ = ("answered", "id", "keeper", "link", "reply")

    def __init__(self, number: int, *, keeper: int, link: socket.socket) -> None:
        self.id = number
        self.keeper = keeper
        self.link = link
        self.reply = FrameBuffer()
        self.answered = False


class ProbeServer:
    """Takes runs from the collector, hands each to a keeper, passes the results on."""

    def __init__(self, collector: socket.socket, *, scratch: str) -> None:
        self._collector = collector
        self._scratch = scratch
        self._requests = FrameBuffer()
        self._replies = bytearray(frame({"op": "ready"}))
        self._runs: dict[int, Run] = {}
        self._ending: set[int] = set()
        self._open = True
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        """Work until the collector is gone, then end everything beneath."""
        self._collector.setblocking(False)
        self._selector.register(self._collector, selectors.EVENT_READ, self._receive)
        while self._open:
            self._send()
            for key, _ in self._selector.select(_RECHECK if self._ending else None):
                # A link may be dropped, and its number given to another, in the same round.
                if self._selector.get_map().get(key.fd) is key:
                    key.data()
            if self._ending:
                self._reap()
        probe_tree.end_descendants(within=5.0)

    # The collector's side.

    def _receive(self) -> None:
        try:
            piece = self._collector.recv(_PIECE)
        except BlockingIOError:
            return  # Only writable: the loop's next round sends.
        except OSError:
            piece = b""
        self._open = bool(piece)
        for header, body in self._requests.feed(piece):
            if header["op"] == "run":
                self._start(header, body)
            elif run := self._runs.get(header["id"]):
                self._drop(run)

    def _send(self) -> None:
        if self._replies:
            try:
                del self._replies[: self._collector.send(self._replies)]
            except BlockingIOError:
                pass
            except OSError:
                self._open = False
        write = selectors.EVENT_WRITE if self._replies else 0
        self._selector.modify(self._collector, selectors.EVENT_READ | write, self._receive)

    # The keepers' side.

    def _start(self, order: dict[str, Any], stdin: bytes) -> None:
        number: int = order["id"]
        name = f"{os.getpid()}-{number}"
        order["env"][probe_tree.MARK] = name
        try:
            ours, theirs = socket.socketpair()
            with theirs:
                keeper = os.fork()
                if keeper == 0:
                    folder = os.path.join(self._scratch, name)
                    probe_keeper.keep(theirs.detach(), order=order, stdin=stdin, scratch=folder)
        except OSError as error:
            self._replies += probe_keeper.spawn_failure(number, error)
            return
        ours.setblocking(False)
        self._runs[number] = run = Run(number, keeper=keeper, link=ours)
        self._selector.register(ours, selectors.EVENT_READ, self._reader(run))

    def _reader(self, run: Run) -> Callable[[], None]:
        def read() -> None:
            try:
                piece = run.link.recv(_PIECE)
            except BlockingIOError:
                return
            except OSError:
                piece = b""
            for header, stdout in run.reply.feed(piece):
                self._replies += frame(header, stdout)
                run.answered = True
            if not piece:
                if not run.answered:  # Its keeper was killed.
                    lost = {"id": run.id, "outcome": "lost", "status": 0, "stderr": ""}
                    self._replies += frame({**lost, "seconds": 0.0, "left_behind": 0})
                self._drop(run)

        return read

    def _drop(self, run: Run) -> None:
        """Close the link to a keeper, which makes one that is still at work kill its tree."""
        self._selector.unregister(run.link)
        run.link.close()
        self._runs.pop(run.id, None)
        self._ending.add(run.keeper)

    def _reap(self) -> None:
        """Take the keepers that are through; kill what a keeper that was killed has orphaned."""
        for pid in list(self._ending):
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG)[0] == 0:
                    continue
            self._ending.discard(pid)
        known = self._ending.union(run.keeper for run in self._runs.values())
        strangers = [pid for pid in probe_tree.children(os.getpid()) if pid not in known]
        probe_tree.end_trees(strangers)
        self._ending.update(strangers)


def main(arguments: list[str]) -> None:
    """Serve on the socket whose descriptor is the first argument; the second is a scratch folder.

    The folder must exist and is emptied; what probes left in it goes with every run.
    """
    descriptor, scratch = int(arguments[0]), arguments[1]
    os.set_inheritable(descriptor, False)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    probe_tree.become_subreaper()
    probe_tree.set_name("probe-server")
    probe_tree.require_children_files()
    probe_scratch.empty(scratch)
    gc.freeze()
    with socket.socket(fileno=descriptor) as collector:
        ProbeServer(collector, scratch=scratch).serve()
    probe_scratch.remove(scratch)
    sys.exit(0)
