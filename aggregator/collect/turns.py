"""Who may start next: a bounded number at a time, and no kind of collection starves another."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from aggregator.collect.schedule import Scheduled

#: A source, and whether the last collection ran out of time.
Lane = tuple[str, bool]


@dataclass(slots=True)
class _Waiting:
    running: int = 0
    queue: deque[Scheduled] = field(default_factory=deque)


class Turns:
    """Hands out turns to collections that are due, each source and the slow of each in a lane.

    At most `most` run at a time, of a source at most `share` of it; of its members that ran out
    of time the last time at most half of that, so that the others pass those that hang.
    """

    def __init__(self, most: int, *, share: Callable[[str], int]) -> None:
        self._most = most
        self._share = share
        self._running = 0
        self._lanes: dict[Lane, _Waiting] = {}
        self._order: deque[Lane] = deque()

    @property
    def running(self) -> int:
        """How many collections have a turn."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many collections wait for a turn."""
        return sum(len(lane.queue) for lane in self._lanes.values())

    def wait(self, scheduled: Scheduled) -> None:
        """Queue up for a turn."""
        lane = (scheduled.source, scheduled.slow)
        if lane not in self._lanes:
            self._lanes[lane] = _Waiting()
            self._order.append(lane)
        self._lanes[lane].queue.append(scheduled)

    def take(self) -> tuple[Scheduled, Lane] | None:
        """The next collection that may start and its lane, which `done` takes; None while none."""
        if self._running >= self._most:
            return None
        for _ in range(len(self._order)):
            lane = self._order[0]
            self._order.rotate(-1)
            waiting = self._lanes[lane]
            while waiting.queue and waiting.queue[0].gone:
                waiting.queue.popleft()
            if waiting.queue and waiting.running < self._limit(lane):
                waiting.running += 1
                self._running += 1
                return waiting.queue.popleft(), lane
        return None

    def done(self, lane: Lane) -> None:
        """Give a turn back."""
        self._lanes[lane].running -= 1
        self._running -= 1

    def _limit(self, lane: Lane) -> int:
        source, slow = lane
        share = self._share(source)
        return max(1, share // 2 if slow else share)
