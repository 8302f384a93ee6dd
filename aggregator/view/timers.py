"""Things to do at a time, for a loop."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable


class Timer:
    """Something to do once; `cancel` it when it is no longer wanted."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Do nothing when its time comes."""
        self.call = None


class Timers:
    """What is to be done, nearest first, by the steady clock."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()

    def after(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Do `call` in so many seconds."""
        timer = Timer(call)
        heapq.heappush(self._heap, (time.monotonic() + seconds, next(self._order), timer))
        return timer

    def delay(self) -> float | None:
        """Seconds until the nearest, None where there is none."""
        self._drop_cancelled()
        if not self._heap:
            return None
        return max(0.0, self._heap[0][0] - time.monotonic())

    def run(self) -> None:
        """Do what is due."""
        while self._heap and self._heap[0][0] <= time.monotonic():
            call = heapq.heappop(self._heap)[2].call
            if call is not None:
                call()

    def _drop_cancelled(self) -> None:
        while self._heap and self._heap[0][2].call is None:
            heapq.heappop(self._heap)
