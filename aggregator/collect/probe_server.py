"""The process that spawns every probe and lives no longer than its socket to the collector.

Forking from a small, single-threaded process costs a fraction of a millisecond, where forking
from the collector would cost several and copy what it holds. The server has one keeper for each
run under way (see `probe_keeper`); the keeper starts the executable, watches it and sends the
result's frame, which the server passes on. So one slow or flooding probe delays no other. A keeper
that is through waits for the next run, since a fork costs more than a small probe does.

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
with ``python -I -S``, the process takes about 11 MB, a keeper 2 MB more.
"""

from __future__ import annotations

import gc
import os
import resource
import selectors
import signal
import socket
import sys
import time

from aggregator.collect import probe_keeper, probe_scratch, probe_tree
from aggregator.collect.probe_endings import Endings
from aggregator.collect.probe_frames import FrameBuffer, frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PIECE = 262144
_RECHECK, _LOOK_EVERY = 0.02, 1.0
#: Seconds that a keeper without work waits for some.
_IDLE = 30.0
#: Seconds past the timeout of its probe after which a keeper is taken for hung.
_MARGIN = 2 * probe_keeper.GRACE + 3.0
#: Seconds for which a keeper deletes what a probe left before it is given up.
_CLEANED = 60.0
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Keeping:
    """A keeper as the server sees it: its pid, the link to it, what goes and comes over it.

    ``run`` is the number of the run that it is at, 0 while it waits for one; ``until`` the instant
    past which the run is taken for hung, or the keeper has waited long enough.
    """

    __slots__ = ("link", "orders", "pid", "reply", "run", "until")

    def __init__(self, *, pid: int, link: socket.socket) -> None:
        self.pid = pid
        self.link = link
        self.orders = bytearray()
        self.reply = FrameBuffer()
        self.run = 0
        self.until = 0.0


class ProbeServer:
    """Takes runs from the collector, hands each to a keeper, passes the results on."""

    def __init__(self, collector: socket.socket, *, scratch: str) -> None:
        self._collector = collector
        self._scratch = scratch
        self._requests = FrameBuffer()
        self._replies = bytearray(frame({"op": "ready"}))
        self._keepers: set[Keeping] = set()
        self._idle: list[Keeping] = []
        self._runs: dict[int, Keeping] = {}
        self._endings = Endings(scratch)
        self._next_look = 0.0
        self._open = True
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        """Work until the collector is gone, then end everything beneath."""
        self._collector.setblocking(False)
        self._selector.register(self._collector, selectors.EVENT_READ, self._receive)
        while self._open:
            self._send()
            for key, _ in self._selector.select(self._pause()):
                # A link may be dropped, and its number given to another, in the same round.
                if self._selector.get_map().get(key.fd) is key:
                    key.data()
            if self._endings:
                self._endings.reap({keeping.pid for keeping in self._keepers})
            self._look_at_clock()
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
            elif keeping := self._runs.get(header["id"]):
                self._drop(keeping)

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
        message = frame(order, stdin)
        while self._idle:
            keeping = self._idle.pop()
            if self._given(keeping, order, message):
                return
            self._drop(keeping)  # It was killed while it waited.
        try:
            keeping = self._forked()
        except OSError as error:
            self._replies += probe_keeper.spawn_failure(order["id"], error)
            return
        self._given(keeping, order, message)

    def _given(self, keeping: Keeping, order: dict[str, Any], message: bytes) -> bool:
        """Let a keeper see a run through; whether it was there to be told."""
        keeping.orders += message
        there = self._order(keeping)
        keeping.run = order["id"]
        keeping.until = time.monotonic() + order["timeout"] + _MARGIN
        self._runs[keeping.run] = keeping
        return there

    def _forked(self) -> Keeping:
        """A new keeper."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                pid = os.fork()
            except OSError:
                ours.close()
                raise
            if pid == 0:
                probe_keeper.keep(theirs.detach(), scratch=self._scratch)
        ours.setblocking(False)
        keeping = Keeping(pid=pid, link=ours)
        self._keepers.add(keeping)
        self._selector.register(ours, selectors.EVENT_READ, self._on_link(keeping))
        return keeping

    def _order(self, keeping: Keeping) -> bool:
        """Send a keeper what it takes now of its order; whether it still is there."""
        there = True
        try:
            del keeping.orders[: keeping.link.send(keeping.orders)]
        except BlockingIOError:
            pass
        except OSError:
            keeping.orders.clear()  # It was killed, which reading from it tells too.
            there = False
        key = self._selector.get_key(keeping.link)
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if keeping.orders else 0)
        if key.events != events:
            self._selector.modify(keeping.link, events, key.data)
        return there

    def _on_link(self, keeping: Keeping) -> Callable[[], None]:
        def read() -> None:
            if keeping.orders:
                self._order(keeping)
            try:
                piece = keeping.link.recv(_PIECE)
            except BlockingIOError:
                return
            except OSError:
                piece = b""
            for header, stdout in keeping.reply.feed(piece):
                rests = header.pop("rests", False)
                if header:
                    self._pass_on(keeping, header, stdout)
                if rests:
                    self._rest(keeping)
            if not piece:
                self._lose(keeping, "lost")

        return read

    def _pass_on(self, keeping: Keeping, header: dict[str, Any], stdout: bytes) -> None:
        """Send a result to the collector; the keeper may have to clean up before the next run."""
        self._replies += frame(header, stdout)
        self._runs.pop(keeping.run, None)
        keeping.run = 0
        keeping.until = time.monotonic() + _CLEANED

    def _rest(self, keeping: Keeping) -> None:
        """Keep a keeper that is through for the next run."""
        keeping.until = time.monotonic() + _IDLE
        self._idle.append(keeping)

    def _lose(self, keeping: Keeping, outcome: str) -> None:
        """Let go of a keeper that was killed, or left, or hangs."""
        if keeping.run:
            lost = {"id": keeping.run, "outcome": outcome, "status": 0, "stderr": ""}
            self._replies += frame({**lost, "seconds": 0.0, "left_behind": 0})
        self._drop(keeping)

    def _drop(self, keeping: Keeping) -> None:
        """Close the link to a keeper, which makes one that is still at work kill its tree."""
        self._selector.unregister(keeping.link)
        keeping.link.close()
        self._runs.pop(keeping.run, None)
        self._keepers.discard(keeping)
        if keeping in self._idle:
            self._idle.remove(keeping)
        self._endings.add(keeping.pid)

    def _pause(self) -> float | None:
        if self._endings:
            return _RECHECK
        return _LOOK_EVERY if self._keepers else None

    def _look_at_clock(self) -> None:
        """Kill what hangs past all its timeouts; let go of who waited long for work."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_EVERY
        for keeping in [one for one in self._keepers if one.until < now]:
            if keeping.run:
                probe_tree.signal_all([keeping.pid], signal.SIGKILL)
            self._lose(keeping, "timeout")


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
    # No core files, of probes neither, which inherit it.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gc.freeze()
    with socket.socket(fileno=descriptor) as collector:
        ProbeServer(collector, scratch=scratch).serve()
    probe_scratch.remove(scratch)
    sys.exit(0)
