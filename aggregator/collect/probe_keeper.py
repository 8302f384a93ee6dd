"""Keep probes, one after the other: feed, read, watch the limits, end it and all beneath it.

A keeper is a child subreaper with one probe at a time, so whatever a probe starts stays beneath
the keeper, even with setsid, double forks and an empty environment, and belongs to this probe
beyond doubt. When the probe server goes, killed -9 included, the keeper sees the end of its link,
kills the tree and leaves. It also leaves when anything of a probe is left that can't be ended.
This module is loaded into the probe server and imports nothing heavy.
"""

from __future__ import annotations

import os
import selectors
import signal
import time

from aggregator.collect import probe_scratch, probe_tree
from aggregator.collect.probe_frames import FrameBuffer, frame
from aggregator.collect.probe_spawn import NotStarted, Spawned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, NoReturn

GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL, and between the probe's end and that of its pipes."""

_STDERR_KEPT = 512
#: Seconds for which a result waits until what the probe left is deleted.
_EMPTIED = 0.1
_LOOK_EVERY = 1.0
# A flood of errors that nobody wants shall not cost a processor: past this many bytes each piece
# is waited upon.
_FLOOD, _SLOWED = 1_000_000, 0.005
_PIECE = 65536
_LINK = 3


def keep(link: int, *, scratch: str) -> NoReturn:
    """Keep the probes that are ordered over `link`, then end the process. Call it after a fork."""
    folders = probe_scratch.Folders(scratch, str(os.getpid()))
    try:
        _only(link)
        os.setpgid(0, 0)
        probe_tree.become_subreaper()
        probe_tree.set_name("probe-keeper")
        for order, stdin in _orders():
            if not _kept(order, stdin, folders):
                break
    finally:
        _leave(folders)


def _leave(folders: probe_scratch.Folders) -> NoReturn:
    """End the process and all beneath it."""
    try:
        probe_tree.end_descendants(within=60.0)
        folders.remove()
    finally:
        os._exit(0)


def _orders() -> Iterator[tuple[dict[str, Any], bytes]]:
    """What is ordered, each when the one before is done."""
    buffer = FrameBuffer()
    while piece := os.read(_LINK, _PIECE):
        yield from buffer.feed(piece)


def _kept(order: dict[str, Any], stdin: bytes, folders: probe_scratch.Folders) -> bool:
    """Run a probe and send the result's frame; whether another may follow.

    The frame's ``rests`` tells the probe server that the keeper waits for the next run. Where the
    probe left so much that deleting it takes long, a frame of its own tells that later.
    """
    number = order["id"]
    order["env"][probe_tree.MARK] = f"{os.getppid()}-{number}"
    try:
        keeper = Keeper(order, stdin=stdin, folders=folders)
        header, stdout, left_nothing = keeper.run()
    except OSError as error:
        _send(spawn_failure(number, error))
        return False
    rests = left_nothing and folders.empty(within=_EMPTIED)
    _send(frame({**header, "rests": rests}, stdout))
    if left_nothing and not rests:
        folders.empty()
        _send(frame({"rests": True}))
    return left_nothing


def spawn_failure(run: int, error: OSError) -> bytes:
    """The result's frame of a run that the system refused to start."""
    header = {"id": run, "outcome": "spawn-failed", "status": error.errno or 0}
    text = f"{type(error).__name__}: {error.strerror}"
    return frame({**header, "stderr": text, "seconds": 0.0, "left_behind": 0})


def _only(link: int) -> None:
    """Close what was inherited, so that the ends of other keepers' links close in time."""
    if link != _LINK:
        os.dup2(link, _LINK, inheritable=False)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > _LINK:
            try:
                os.close(int(name))
            except OSError:
                continue  # The listing's own descriptor is closed already.


def _send(message: bytes) -> None:
    rest = memoryview(message)
    while rest:
        rest = rest[os.write(_LINK, rest) :]


class Keeper:
    """One run of a probe, from its start to its result.

    The clock has one alarm at a time: the timeout, then the end of the grace after SIGTERM, then
    the moment to give up waiting; or, once the probe has ended by itself, the end of its pipes.
    """

    def __init__(
        self, order: dict[str, Any], *, stdin: bytes, folders: probe_scratch.Folders
    ) -> None:
        self._order = order
        self._stdin = memoryview(stdin)
        self._folders = folders
        self._stdout = bytearray()
        self._stderr = bytearray()
        self._complained = 0
        self._outcome = ""
        self._errno = 0
        self._status: int | None = None
        self._over = False
        self._selector = selectors.PollSelector()

    def run(self) -> tuple[dict[str, Any], bytearray, bool]:
        """See the probe through.

        Returns the result's header and its standard output, and whether no process is left.
        """
        self._began = time.monotonic()
        try:
            self._probe = Spawned(self._order, scratch=self._folders.clean())
        except NotStarted as error:
            self._outcome, self._errno = "spawn-failed", error.errno
            self._stderr += error.text.encode(errors="replace")[:_STDERR_KEPT]
        else:
            self._see_through()
        return self._result()

    def _see_through(self) -> None:
        self._set_alarm(self._order["timeout"], self._time_out)
        self._next_look = self._began + _LOOK_EVERY
        self._watch(_LINK, self._abandoned)
        self._watch(self._probe.pidfd, self._reap)
        self._watch(self._probe.output, self._read_output)
        self._watch(self._probe.errors, self._read_errors)
        self._selector.register(self._probe.input, selectors.EVENT_WRITE, self._feed)
        while not self._over:
            for key, _ in self._selector.select(self._pause()):
                if key.fd in self._selector.get_map():
                    key.data()
            self._look_at_clock()
        if self._probe.errors in self._selector.get_map():
            self._read_errors()
        self._selector.unregister(_LINK)
        for key in list(self._selector.get_map().values()):
            self._forget(key.fd)

    def _result(self) -> tuple[dict[str, Any], bytearray, bool]:
        seconds = time.monotonic() - self._began
        ended, left_nothing = probe_tree.end_descendants(within=GRACE)
        status = self._status or 0
        by_itself = not self._outcome
        header = {
            "id": self._order["id"],
            "outcome": self._outcome or ("signal" if status < 0 else "exit"),
            "status": abs(status) if by_itself else self._errno,
            "stderr": self._stderr.decode(errors="replace"),
            "seconds": seconds,
            "left_behind": ended if by_itself else 0,
        }
        return header, self._stdout, left_nothing

    # The clock.

    def _set_alarm(self, after: float, then: Callable[[], None]) -> None:
        self._alarm, self._on_alarm = time.monotonic() + after, then

    def _pause(self) -> float:
        until = min(self._alarm, self._next_look) if self._limit() else self._alarm
        return max(0.0, until - time.monotonic())

    def _limit(self) -> int | None:
        limit: int | None = self._order.get("memory_limit")
        return limit

    def _look_at_clock(self) -> None:
        now = time.monotonic()
        if now >= self._alarm:
            self._on_alarm()
        if (limit := self._limit()) and now >= self._next_look:
            self._next_look = now + _LOOK_EVERY
            beneath = probe_tree.descendants(os.getpid())
            if probe_tree.resident_bytes(beneath) > limit:
                self._end("memory")

    def _time_out(self) -> None:
        self._end("timeout")

    def _kill(self) -> None:
        probe_tree.signal_all(probe_tree.descendants(os.getpid()), signal.SIGKILL)
        self._set_alarm(GRACE, self._give_up)

    def _give_up(self) -> None:
        """Report without the probe's end: it does not even die of SIGKILL (a hung disk, say)."""
        self._over = True

    def _end(self, outcome: str) -> None:
        """Break the run off: close the pipes, SIGTERM to the tree, SIGKILL after the grace."""
        if self._outcome:
            return
        self._outcome = outcome
        for pipe in (self._probe.input, self._probe.output):
            self._forget(pipe)
        if self._status is not None:
            self._over = True
            return
        probe_tree.signal_all(probe_tree.descendants(os.getpid()), signal.SIGTERM)
        self._set_alarm(GRACE, self._kill)

    # What happens on the descriptors.

    def _watch(self, end: int, call: Callable[[], None]) -> None:
        self._selector.register(end, selectors.EVENT_READ, call)

    def _forget(self, end: int) -> None:
        if end in self._selector.get_map():
            self._selector.unregister(end)
            os.close(end)

    def _abandoned(self) -> None:
        """The probe server closed the link: nobody waits for the result any more."""
        _leave(self._folders)

    def _reap(self) -> None:
        _, status = os.waitpid(self._probe.pid, 0)
        self._forget(self._probe.pidfd)
        self._status = os.waitstatus_to_exitcode(status)
        if self._outcome or self._probe.output not in self._selector.get_map():
            self._over = True
        else:
            self._set_alarm(GRACE, self._give_up)

    def _read_output(self) -> None:
        piece = _read(self._probe.output)
        if piece is None:
            return
        self._stdout += piece
        if not piece:
            self._forget(self._probe.output)
            self._over = self._status is not None
        elif len(self._stdout) > self._order["max_output"]:
            del self._stdout[self._order["max_output"] :]
            self._end("overflow")

    def _read_errors(self) -> None:
        piece = _read(self._probe.errors)
        if piece:
            self._stderr += piece[: _STDERR_KEPT - len(self._stderr)]
            self._complained += len(piece)
            if self._complained > _FLOOD:
                time.sleep(_SLOWED)
        elif piece is not None:
            self._forget(self._probe.errors)

    def _feed(self) -> None:
        try:
            self._stdin = self._stdin[os.write(self._probe.input, self._stdin[:_PIECE]) :]
        except BlockingIOError:
            return
        except OSError:
            self._stdin = self._stdin[:0]  # The probe does not read; that is its right.
        if not self._stdin:
            self._forget(self._probe.input)


def _read(end: int) -> bytes | None:
    """A piece from a pipe, empty at its end, None where there is nothing yet."""
    try:
        return os.read(end, _PIECE)
    except BlockingIOError:
        return None
