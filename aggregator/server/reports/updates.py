"""Updates as a web worker knows them: the newest in memory, made ready once for all who watch."""

from __future__ import annotations

import base64
import json
import logging
import re
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import NamedTuple

from aggregator.errors import ReportRefused, StoreUnavailable
from aggregator.reports import metrics
from aggregator.store.engine import Store
from aggregator.store.report_updates import Update, update_bounds, updates_after
from aggregator.waiting import ENDING
from aggregator.wire.times import format_datetime

log = logging.getLogger(__name__)

#: Seconds between two looks; and until the store is asked again that was away.
_LOOK, _PAUSE = 0.1, 1.0
#: Updates, and bytes of them, that are read at a time, and bytes that are held.
_MOST, _ROOM, _HELD = 100, 4 * 2**20, 16 * 2**20
_UNFIT = re.compile(r"[^\w.:-]", re.ASCII)


class ReadyUpdate(NamedTuple):
    """An update as an event of a stream (HTML, section 9.2, server-sent events)."""

    sequence: int
    type: str
    event: bytes


def ready(update: Update) -> ReadyUpdate:
    """An update made ready to be sent: its data as JSON, as a text, or in base64."""
    encoding, value = _said(update.kind, update.data)
    type = _UNFIT.sub("_", update.type)
    said = {
        "type": type,
        "aggregator": update.aggregator,
        "time": format_datetime(update.at),
        "encoding": encoding,
        "data": value,
    }
    return ReadyUpdate(update.sequence, type, event(type, said, sequence=update.sequence))


def _said(kind: str, data: bytes) -> tuple[str, object]:
    if kind == "json":
        # What is nested as deep as it could be written may be too deep to be read here.
        with suppress(ValueError, RecursionError):
            return "json", json.loads(data)
    if kind in ("json", "text"):
        return "text", data.decode(errors="replace")
    return "base64", base64.b64encode(data).decode()


def event(name: str, said: object, *, sequence: int) -> bytes:
    """An event with its data as a line of JSON; a client that comes back names its sequence."""
    return f"id: {sequence}\nevent: {name}\ndata: {json.dumps(said)}\n\n".encode()


class Updates:
    """The updates after `floor`, up to the last that was seen, are held; a thread looks for more
    while somebody watches. At most `most` may."""

    def __init__(self, store: Store, *, most: int) -> None:
        self._store = store
        self._most = most
        self._lock = threading.Lock()
        self._held: deque[ReadyUpdate] = deque()
        self._size = 0
        self._floor = self._seen = 0
        self._watching = 0
        self._runs = False
        self._waiting: list[Future[None]] = []

    def join(self) -> tuple[int, int]:
        """Begin to watch: the sequences of the last update and of the oldest that is kept.

        Raises ReportRefused where too many watch. For a thread that may wait.
        """
        with self._lock:
            is_full = self._watching >= self._most or ENDING.is_set()
            if not is_full:
                self._watching += 1
                metrics.WATCHERS.inc()
        if is_full:
            # Some may have left, which they notice when they are to say something.
            self._wake()
            raise ReportRefused(
                f"{self._watching} clients of this worker watch already, which is all that"
                " reports.max_watchers allows",
                reason="watchers",
                retry_after=1,
            )
        try:
            last, oldest = self._store.query(update_bounds)
        except BaseException:
            self.leave()
            raise
        self._run_from(last)
        return last, oldest

    def leave(self) -> None:
        """Watch no more."""
        with self._lock:
            self._watching -= 1
            metrics.WATCHERS.dec()

    def _run_from(self, last: int) -> None:
        with self._lock:
            if self._runs:
                return
            self._held.clear()
            self._size, self._floor, self._seen = 0, last, last
            self._runs = True
            threading.Thread(target=self._run, name="updates", daemon=True).start()

    def after(self, sequence: int) -> Sequence[ReadyUpdate] | None:
        """What is held after a sequence; None where something between is held no more."""
        with self._lock:
            if sequence < self._floor:
                return None
            return [one for one in self._held if one.sequence > sequence]

    def read_after(self, sequence: int) -> Sequence[ReadyUpdate]:
        """What is kept after a sequence, some of it. For a thread that may wait."""
        found = self._store.query(
            lambda connection: updates_after(connection, sequence, most=_MOST, size=_ROOM)
        )
        return [ready(one) for one in found]

    @property
    def floor(self) -> int:
        """The last sequence that is held no more."""
        with self._lock:
            return self._floor

    def wait(self, sequence: int) -> Future[None]:
        """What is done once there is something after a sequence, or this process ends."""
        future: Future[None] = Future()
        with self._lock:
            if self._runs and self._seen <= sequence and not ENDING.is_set():
                self._waiting.append(future)
                return future
        future.set_result(None)
        return future

    def forget(self, future: Future[None]) -> None:
        """Wait for it no more."""
        with self._lock:
            if future in self._waiting:
                self._waiting.remove(future)

    def _run(self) -> None:
        while self._is_needed():
            pause = _LOOK
            try:
                self._look()
            except StoreUnavailable as error:
                log.info("who watches updates waits for the store: %s", error)
                pause = _PAUSE
            except Exception:
                log.exception("bug in watching updates")
                pause = _PAUSE
            if ENDING.is_set():
                self._wake()
            time.sleep(pause)
        self._wake()

    def _is_needed(self) -> bool:
        with self._lock:
            self._runs = self._watching > 0
            return self._runs

    def _look(self) -> None:
        found = self.read_after(self._seen)
        if not found:
            return
        with self._lock:
            self._held.extend(found)
            self._seen = found[-1].sequence
            self._size += sum(len(one.event) for one in found)
            while self._size > _HELD and len(self._held) > 1:
                gone = self._held.popleft()
                self._floor = gone.sequence
                self._size -= len(gone.event)
        self._wake()

    def _wake(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for future in waiting:
            future.set_result(None)
