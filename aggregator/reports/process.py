"""An aggregator's process as the collector sees it: started, called, and ended whatever it does."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from aggregator.errors import AggregatorFailed, StoreUnavailable
from aggregator.reports.frames import LONGEST_LINE, frame, read_frame
from aggregator.reports.modules import ModuleClass

_COMMAND = (sys.executable, "-m", "aggregator.reports.host")
#: Seconds that one may take to end by itself, once nobody calls any more.
_FAREWELL = 1.0
#: Lines of the log that are taken from one call, and updates that may be pushed in one.
_LINES, _UPDATES = 200, 1000


RUNNING: set[int] = set()
"""The aggregators' processes of this one: who ends its other children spares them."""


class Pushed(NamedTuple):
    """What an aggregator pushed by itself during a call."""

    type: str
    kind: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What a call brought; ``outcome``: answered, none, or failed, arguments with an error."""

    outcome: str
    kind: str = ""
    data: bytes = b""
    error: str = ""
    pushed: Sequence[Pushed] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """What a process said of its aggregator; `is_aggregator` is False for another class."""

    is_aggregator: bool
    reports: tuple[str, ...] = ()
    requests: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()


#: Stores what an aggregator saves, which is JSON.
Save = Callable[[str], Awaitable[None]]


@dataclass(slots=True)
class AggregatorProcess:
    """One process. Its calls come one after the other; one that was given up ends it.

    `limit` is the most bytes that an answer may have.
    """

    name: str
    limit: int
    save: Save
    log: logging.LoggerAdapter[Any]
    _process: subprocess.Popen[bytes] | None = None
    _reader: asyncio.StreamReader = field(default_factory=asyncio.StreamReader)
    _writer: asyncio.StreamWriter | None = None

    @property
    def is_up(self) -> bool:
        """Whether there is a process that can be called."""
        return self._process is not None

    @property
    def has_ended(self) -> bool:
        """Whether the process that there is has ended by itself, or was killed."""
        if self._process is None:
            return False
        how = os.WEXITED | os.WNOHANG | os.WNOWAIT
        try:
            # It is not reaped here: until its group is ended nobody else is to get its number.
            return os.waitid(os.P_PID, self._process.pid, how) is not None
        except ChildProcessError:
            return True

    async def start(
        self, tree: Sequence[ModuleClass], folders: Sequence[Path], *, saved: str | None
    ) -> Started:
        """Start it, and wait until it is ready; AggregatorFailed where it does not get so far."""
        ours, theirs = socket.socketpair()
        self._reader, self._writer = await asyncio.open_unix_connection(
            sock=ours, limit=LONGEST_LINE
        )
        with theirs:
            try:
                # In the main thread, with which the process is to end.
                self._process = subprocess.Popen(
                    [*_COMMAND, str(theirs.fileno()), str(os.getpid())],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )
                RUNNING.add(self._process.pid)
            except OSError as error:
                raise AggregatorFailed(
                    f"its process can't be started: {error.strerror}", reason="died"
                ) from error
        order = {
            "name": self.name,
            "tree": [(one.name, str(one.path)) for one in tree],
            "folders": [str(folder) for folder in folders],
            "saved": saved,
            "limit": self.limit,
        }
        header, _ = await self._exchange(order, b"", until="ready", pushed=[])
        if header["ready"] == "failed":
            raise AggregatorFailed(str(header.get("error", "")), reason="failed")
        return Started(
            header["ready"] == "aggregator",
            *(tuple(map(str, header.get(key, ()))) for key in ("reports", "requests", "updates")),
        )

    async def call(self, header: Mapping[str, Any], body: bytes = b"") -> Reply:
        """Call its aggregator; AggregatorFailed where the process ends over it."""
        pushed: list[Pushed] = []
        found, data = await self._exchange(header, body, until="outcome", pushed=pushed)
        return Reply(
            str(found["outcome"]),
            str(found.get("kind", "")),
            data,
            str(found.get("error", "")),
            pushed,
        )

    async def _exchange(
        self, header: Mapping[str, Any], body: bytes, *, until: str, pushed: list[Pushed]
    ) -> tuple[Mapping[str, Any], bytes]:
        """Send a frame, and see to all that comes until the one that has the key `until`."""
        assert self._writer is not None
        lines = 0
        try:
            self._writer.write(frame(header, body))
            await self._writer.drain()
            while True:
                found, data = await read_frame(self._reader, limit=self.limit)
                if until in found:
                    return found, data
                if "log" in found:
                    lines += 1
                    self._log_line(found, lines)
                await self._see_to(found, data, pushed)
                # What it sends without end must keep nobody else waiting.
                await asyncio.sleep(0)
        except (EOFError, OSError) as error:
            raise AggregatorFailed("its process ended", reason="died") from error
        except (ValueError, KeyError) as error:
            raise AggregatorFailed(
                f"its answer is too large, or none at all: {error}", reason="large"
            ) from error

    def _log_line(self, header: Mapping[str, Any], lines: int) -> None:
        if lines < _LINES:
            self.log.log(int(header["log"]), "%s: %s", self.name, header["text"])
        elif lines == _LINES:
            self.log.warning("%s logs more than %d lines in a call", self.name, _LINES)

    async def _see_to(self, header: Mapping[str, Any], data: bytes, pushed: list[Pushed]) -> None:
        if "push" in header:
            if sum(len(one.data) for one in pushed) + len(data) > self.limit:
                raise ValueError(f"more than {self.limit} bytes are pushed in one call")
            if len(pushed) >= _UPDATES:
                raise ValueError(f"more than {_UPDATES} updates are pushed in one call")
            pushed.append(Pushed(str(header["push"]), str(header["kind"]), data))
        elif "save" in header:
            assert self._writer is not None
            error = ""
            try:
                await self.save(data.decode())
            except StoreUnavailable as failed:
                error = str(failed)
            self._writer.write(frame({"saved": not error, "error": error}))
            await self._writer.drain()

    def end(self) -> None:
        """End the process at once, and all that it started in its session. Safe twice."""
        process, self._process = self._process, None
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if process is not None:
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            # They may be long in dying, as where their file server is dead.
            threading.Thread(target=_reap, args=(process,), daemon=True).start()

    async def leave(self) -> None:
        """Let the process end by itself, and end it where it does not."""
        process = self._process
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if process is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_FAREWELL):
                    while process.poll() is None:
                        await asyncio.sleep(0.01)
        self.end()


def _reap(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a process, and of those of its group, which may have become ours."""
    process.wait()
    RUNNING.discard(process.pid)
    with suppress(ChildProcessError):
        while True:
            os.waitpid(-process.pid, 0)
