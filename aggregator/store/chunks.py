"""Lists of values cut into pieces that a statement may hold as parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

#: Few enough for every database; more gain nothing.
SIZE = 500


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Pieces of `values`, in order."""
    for start in range(0, len(values), SIZE):
        yield values[start : start + SIZE]
