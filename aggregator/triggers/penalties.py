"""Expressions that took too long, and are left out for a while."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

#: Seconds that an expression is left out after it took too long: the first time, and at most.
_FIRST_PENALTY, _LONGEST_PENALTY = 60.0, 3600.0


@dataclass(slots=True)
class Penalties:
    """Which expressions are left out, and until when, by a clock in seconds."""

    clock: Callable[[], float] = time.monotonic
    _until: dict[str, tuple[float, float]] = field(default_factory=dict)

    def is_out(self, key: str) -> bool:
        """Whether the rule is left out now."""
        return self._until.get(key, (0.0, 0.0))[0] > self.clock()

    def add(self, key: str) -> float:
        """Leave a rule out from now on; for how many seconds."""
        length = self._until.get(key, (0.0, 0.0))[1]
        length = min(length * 2 or _FIRST_PENALTY, _LONGEST_PENALTY)
        self._until[key] = self.clock() + length, length
        return length

    def lift(self, key: str) -> None:
        """Take note that the rule could be evaluated."""
        self._until.pop(key, None)

    def order(self, rules: Sequence[tuple[str, int]], *, quick: Collection[str]) -> list[int]:
        """In which order to evaluate rules, each given by its key and its entry; their places.

        Those known to be `quick` come first and who took too long the last time last; in between,
        and among these, each entry's first rule comes before any entry's second.
        """
        nth: Counter[tuple[int, int]] = Counter()
        ranks: list[tuple[int, int]] = []
        for key, entry in rules:
            kind = 2 if key in self._until else 0 if key in quick else 1
            ranks.append((kind, nth[kind, entry]))
            nth[kind, entry] += 1
        return sorted(range(len(rules)), key=ranks.__getitem__)
