"""Waiting for messages in pull points: one thread looks for all who wait in a web worker."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future

from aggregator.errors import StoreUnavailable
from aggregator.store.engine import Store
from aggregator.store.pulled import look_into
from aggregator.store.writing import Awaited
from aggregator.waiting import ENDING

log = logging.getLogger(__name__)

#: Seconds between two looks; and until the store is asked again that was away.
_LOOK, _PAUSE = 0.05, 1.0
#: Seconds beyond its own time after which a wait is taken for lost.
_MARGIN = 5.0


class PullWaits:
    """Who waits for a first message, by pull point; its thread runs while somebody does.

    At most `most` may wait: the others are answered at once.
    """

    def __init__(self, store: Store, *, most: int) -> None:
        self._store = store
        self._most = most
        self._lock = threading.Lock()
        self._waiting: dict[int, tuple[Future[None], int, float]] = {}
        self._runs = False

    def wait(self, pull_point: int, turn: int, until: float) -> Awaited | None:
        """What is done once there is a message, or at the monotonic instant `until`, or when
        somebody else asks: after the `turn` of who waits. None where nobody may wait now."""
        with self._lock:
            before = self._waiting.pop(pull_point, None)
            if before is not None:
                before[0].set_result(None)
            if ENDING.is_set() or len(self._waiting) >= self._most:
                return None
            future: Future[None] = Future()
            self._waiting[pull_point] = future, turn, until
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
                self._tell(None)
                time.sleep(_PAUSE)
            except Exception:
                log.exception("bug in waiting for messages")
                self._tell(None)
                time.sleep(_PAUSE)
            time.sleep(_LOOK)

    def _is_needed(self) -> bool:
        with self._lock:
            self._runs = bool(self._waiting)
            return self._runs

    def _look(self) -> None:
        with self._lock:
            numbers = list(self._waiting)
        self._tell(self._store.query(lambda connection: look_into(connection, numbers)))

    def _tell(self, found: Mapping[int, tuple[int, bool]] | None) -> None:
        """Let go of those for whom there is something to see, as far as was looked, and of whom
        the time is up."""
        now = time.monotonic()
        with self._lock:
            done = [
                number
                for number, (_, turn, until) in self._waiting.items()
                if until <= now or ENDING.is_set() or _is_to_see(found, number, turn)
            ]
            futures = [self._waiting.pop(number)[0] for number in done]
        for future in futures:
            future.set_result(None)


def _is_to_see(found: Mapping[int, tuple[int, bool]] | None, number: int, turn: int) -> bool:
    """Whether there is a message, or a later turn, or no such pull point any more."""
    if found is None:
        return False
    last, has_some = found.get(number, (turn + 1, False))
    return has_some or last > turn
