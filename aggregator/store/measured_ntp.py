"""NTP's 64 bits in databases that have no such numbers, and time ranges as bounds of them."""

from __future__ import annotations

from typing import NamedTuple

from aggregator.store.measured_values import Within

#: One more than the greatest of them, and how much of it is one second.
ALL = 2**64
SECOND = 2**32
#: What is taken off to keep them as signed 64 bits in the same order.
HALF = 2**63


class Bounds(NamedTuple):
    """The first and the last value that belong to a range.

    No instant does where `first` > `last`; a span that covers both may overlap it all the same.
    """

    first: int
    last: int


def bounds(within: Within) -> Bounds:
    """The values of a range of whole numbers, and no others."""
    first, last = 0, ALL - 1
    if within.start is not None:
        first = within.start if within.includes_start else within.start + 1
    if within.end is not None:
        last = within.end if within.includes_end else within.end - 1
    # Drivers take no number that can't be there.
    return Bounds(max(0, first), min(ALL - 1, last))
