"""Units of work that are done for many requests at once, by the same statements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from aggregator.store.write import Write

A = TypeVar("A")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Joint(Generic[A, T]):
    """A unit of work that goes together with those of the same `do` in its transaction.

    `do` returns a result for each of what it is given, in that order. Where it raises, all is
    rolled back and each is done alone.
    """

    do: Callable[[Write, Sequence[A]], Sequence[T]]
    asked: A

    def __call__(self, write: Write) -> T:
        """The result of this one alone."""
        [result] = self.do(write, [self.asked])
        return result
