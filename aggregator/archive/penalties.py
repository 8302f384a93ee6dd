"""Entries whose documents took too long, and are left without numbers for a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

#: Seconds that an entry is left out after a document of it: the first time, and at most.
_FIRST, _LONGEST = 10.0, 3600.0
#: Entries that are remembered; those that were slow most recently.
_MOST = 10_000


@dataclass(slots=True)
class Penalties:
    """Which entries are left out, and until when, by a clock in seconds."""

    clock: Callable[[], float] = time.monotonic
    _until: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def is_out(self, entry: str) -> bool:
        """Whether an entry is left out now."""
        return self._until.get(entry, (0.0, 0.0))[0] > self.clock()

    def add(self, entry: str) -> float:
        """Leave out an entry from now on; for how many seconds.

        Longer each time, unless it was well for longer than it was left out.
        """
        now = self.clock()
        until, length = self._until.pop(entry, (0.0, 0.0))
        again = now - until <= length
        length = min(length * 2, _LONGEST) if length and again else _FIRST
        self._until[entry] = now + length, length
        while len(self._until) > _MOST:
            self._until.popitem(last=False)
        return length

    def order(self, entries: Sequence[str]) -> list[int]:
        """In which order to deal with entries, by their places: who was slow before comes last."""
        return sorted(range(len(entries)), key=lambda place: entries[place] in self._until)
