"""Waiting for messages in pull points: one thread looks for all who wait in a web worker."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future

from aggregator.errors import StoreUnavailable
from aggregator.store.engine import Store
from aggregator.store.pull_points import with_messages
from aggregator.store.writing import Awaited
from aggregator.waiting import ENDING

log = logging.getLogger(__name__)

#: Seconds between two looks; and until the store is asked again that was away.
_LOOK, _PAUSE = 0.05, 1.0
#: Who waits in one web worker; more are answered at once.
_MOST = 2000
#: Seconds beyond its own time after which a wait is taken for lost.
_MARGIN = 5.0


class PullWaits:
    """Who waits for a first message, by pull point; its thread runs while somebody does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._waiting: dict[Future[None], tuple[int, float]] = {}
        self._runs = False

    def wait(self, pull_point: int, until: float) -> Awaited | None:
        """What is done once there is a message, or at the monotonic instant `until`; None where
        nobody may wait now."""
        with self._lock:
            if ENDING.is_set() or len(self._waiting) >= _MOST:
                return None
            future: Future[None] = Future()
            self._waiting[future] = pull_point, until
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._run, name="pull waits", daemon=True).start()
        return Awaited(future, max(0.0, until - time.monotonic()) + _MARGIN)

    def _run(self) -> None:
        while self._is_needed():
            try:
                self._look()
            except StoreUnavailable as error:
                log.info("who waits for messages waits for the store too: %s", error)
                self._tell(set())
                time.sleep(_PAUSE)
            except Exception:
                log.exception("bug in waiting for messages")
                time.sleep(_PAUSE)
            time.sleep(_LOOK)

    def _is_needed(self) -> bool:
        with self._lock:
            self._runs = bool(self._waiting)
            return self._runs

    def _look(self) -> None:
        with self._lock:
            numbers = {number for number, _ in self._waiting.values()}
        self._tell(self._store.query(lambda connection: with_messages(connection, numbers)))

    def _tell(self, some: set[int]) -> None:
        """Let go of those for whom there is a message, and of whom the time is up."""
        now = time.monotonic()
        with self._lock:
            done = [
                future
                for future, (number, until) in self._waiting.items()
                if number in some or until <= now or ENDING.is_set()
            ]
            for future in done:
                del self._waiting[future]
        for future in done:
            future.set_result(None)
