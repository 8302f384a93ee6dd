"""Whose expression is evaluated next, and whose has had its time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from aggregator.errors import QueryFailed

#: An evaluation that takes longer, in seconds, is no quick one and gives its place to the next; one
#: that takes longer than that is a long one, of which few may go on.
QUICK, LONG = 0.1, 1.0


class Asked(Protocol):
    """An expression that waits or runs."""

    @property
    def caller(self) -> str:
        """Whose it is."""

    @property
    def quick(self) -> bool:
        """Whether it may yet turn out to be a quick one."""


A = TypeVar("A", bound=Asked)


@dataclass(frozen=True, slots=True)
class Turns:
    """At most `most` expressions that may be quick run at a time, and `most_long` long ones of one
    caller; `most_waiting` wait, of one caller half as many.

    An expression that is quick never waits for the end of one that is not: who has run for a while
    gives its place away and goes on beside, and the last place is for those of whom nothing runs.
    """

    most: int
    most_long: int
    most_waiting: int

    def check_room(self, waiting: Sequence[Asked], caller: str) -> None:
        """Raise QueryFailed where one more can't wait."""
        own = sum(asked.caller == caller for asked in waiting)
        if len(waiting) >= self.most_waiting or own >= self.most_waiting // 2:
            raise QueryFailed(
                f"{len(waiting)} expressions are waiting to be evaluated, {own} of them yours; "
                "try again in a moment",
                limit="waiting",
            )

    def next(self, waiting: Sequence[A], running: Sequence[Asked]) -> A | None:
        """Who goes next: the first of those whose caller has the fewest running; None for no one.

        `waiting` is in the order of arrival.
        """
        free = self.most - sum(asked.quick for asked in running)
        if free <= 0 or not waiting:
            return None
        held = Counter(asked.caller for asked in running)
        found = min(waiting, key=lambda asked: held[asked.caller])
        if held[found.caller] and free == 1 and self.most > 1:
            return None
        return found

    def may_go_on(self, running: Sequence[Asked]) -> bool:
        """Whether one that is no quick one may give its place away and run beside the others."""
        return sum(not asked.quick for asked in running) < 2 * self.most

    def check_long(self, caller: str, long: Sequence[Asked]) -> None:
        """Raise QueryFailed where an evaluation of `caller` may not become one more long one."""
        own = sum(asked.caller == caller for asked in long)
        if own >= self.most_long:
            raise QueryFailed(
                f"the expression takes longer than {LONG:g} s, and {own} of yours that do are "
                f"being evaluated; only {self.most_long} at a time may",
                limit="long",
            )
        if len(long) >= max(1, self.most - 1):
            raise QueryFailed(
                f"the expression takes longer than {LONG:g} s, and {len(long)} others that do are "
                "being evaluated; try again later",
                limit="long",
            )
