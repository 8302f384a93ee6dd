"""Expressions that took too long, and are left out for a while with those that came with them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

#: Seconds that an expression is left out after it took too long: the first time, and at most.
_FIRST_PENALTY, _LONGEST_PENALTY = 60.0, 3600.0


def answerable(rule: str) -> str:
    """Who is left out for a rule: the registration that it came with, or its trigger."""
    return rule.rpartition("/")[0] or rule


@dataclass(slots=True)
class Penalties:
    """Whose expressions are left out, and until when, by a clock in seconds."""

    clock: Callable[[], float] = time.monotonic
    _until: dict[str, tuple[float, float]] = field(default_factory=dict)

    def is_out(self, rule: str) -> bool:
        """Whether the rule is left out now."""
        return self._until.get(answerable(rule), (0.0, 0.0))[0] > self.clock()

    def add(self, rule: str) -> float:
        """Leave out a rule, and those that came with it, from now on; for how many seconds.

        Longer each time, unless it was well for longer than it was left out.
        """
        who, now = answerable(rule), self.clock()
        until, length = self._until.get(who, (0.0, 0.0))
        again = now - until <= length
        length = min(length * 2, _LONGEST_PENALTY) if length and again else _FIRST_PENALTY
        self._until[who] = now + length, length
        return length

    def order(self, rules: Sequence[tuple[str, int]], *, quick: Collection[str]) -> list[int]:
        """In which order to evaluate rules, each given by its key and its entry; their places.

        Those known to be `quick` come first and who took too long the last time last; in between,
        and among these, each entry's first rule comes before any entry's second.
        """
        nth: Counter[tuple[int, int]] = Counter()
        ranks: list[tuple[int, int]] = []
        for key, entry in rules:
            kind = 2 if answerable(key) in self._until else 0 if key in quick else 1
            ranks.append((kind, nth[kind, entry]))
            nth[kind, entry] += 1
        return sorted(range(len(rules)), key=ranks.__getitem__)
