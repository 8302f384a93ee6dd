"""Instants at which something of an entry falls due, nearest first."""

from __future__ import annotations

import heapq
from collections.abc import Iterable


class Deadlines:
    """A heap of (instant, entry id).

    What is put for an id does not undo what was put before: who takes what is due asks the entry
    whether it still holds, because renewals are many and most old deadlines never come up.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, instant: int | None, entry: int) -> None:
        """Add a deadline; None is one that never comes."""
        if instant is not None:
            heapq.heappush(self._heap, (instant, entry))

    def is_due(self, now: int) -> bool:
        """Whether there is a deadline at or before `now`. Another thread may take it meanwhile."""
        first = self._heap[:1]
        return bool(first) and first[0][0] <= now

    def due(self, now: int, *, limit: int | None = None) -> list[int]:
        """Take out the ids whose deadlines are at or before `now`; one may come up twice."""
        found: list[int] = []
        heap = self._heap
        while heap and heap[0][0] <= now and len(found) != limit:
            found.append(heapq.heappop(heap)[1])
        return found

    def replace(self, deadlines: Iterable[tuple[int | None, int]]) -> None:
        """Hold these deadlines and no others."""
        heap = [(instant, entry) for instant, entry in deadlines if instant is not None]
        heapq.heapify(heap)
        self._heap = heap
