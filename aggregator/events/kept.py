"""Events that are kept for a while, bounded by number, age and bytes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from aggregator.events import metrics
from aggregator.events.messages import EventMessage
from aggregator.events.subscriber import EventData


class KeptEvents:
    """The last events of a subscription; the oldest make room for newer ones."""

    def __init__(
        self, *, max_events: int, max_age: float, max_bytes: int, clock: Callable[[], float]
    ) -> None:
        self._max_events, self._max_age, self._max_bytes = max_events, max_age, max_bytes
        self._clock = clock
        self._changing = threading.Lock()
        # When it arrived, and what; the former is what age goes by, since any sender's clock may
        # be wrong.
        self._events: deque[tuple[float, EventData]] = deque()
        self._bytes = 0

    def keep(self, data: EventData) -> None:
        """Keep an event; the handler of a subscriber."""
        now = self._clock()
        with self._changing:
            self._forget(now)
            self._events.append((now, data))
            self._bytes += data.size
            while len(self._events) > self._max_events or self._bytes > self._max_bytes:
                self._drop()
                metrics.DROPPED.labels("monitor").inc()

    def since(self, instant: float) -> tuple[Any, ...]:
        """The messages of those that are from `instant` or later, in seconds since 1970 UTC."""
        with self._changing:
            self._forget(self._clock())
            return tuple(data.content for at, data in self._events if _instant(at, data) >= instant)

    def _forget(self, now: float) -> None:
        while self._events and self._events[0][0] < now - self._max_age:
            self._drop()

    def _drop(self) -> None:
        _, data = self._events.popleft()
        self._bytes -= data.size


def _instant(arrived: float, data: EventData) -> float:
    """When it happened; for what does not say, when it arrived."""
    content = data.content
    if isinstance(content, EventMessage) and content.datetime is not None:
        return content.datetime
    return arrived
