"""Eight bytes that all processes of a host see: whether anybody wrote since one looked last.

Whoever is about to write makes the number odd before the transaction begins and even again, two
higher, when it is over. So a reader that finds the even number that it has seen before a question
knows that the store has nothing new without asking it, which would take a hundred times as long.
One that was killed in its turn leaves it odd, which tells a reader nothing, until the next turn.
"""

from __future__ import annotations

import mmap
import os

_SIZE = 8


class TurnMark:
    """The number, in the file of a descriptor that stays open."""

    def __init__(self, file: int) -> None:
        if os.fstat(file).st_size < _SIZE:
            os.ftruncate(file, _SIZE)
        self._map = mmap.mmap(file, _SIZE)
        # Read and written as one word of the machine.
        self._word = memoryview(self._map).cast("Q")

    def seen(self) -> int | None:
        """The number, None while somebody writes."""
        number = self._word[0]
        return None if number & 1 else number

    def begin(self) -> None:
        """Tell that a turn begins. For who holds the lock."""
        self._word[0] |= 1

    def end(self) -> None:
        """Tell that it is over."""
        self._word[0] = (self._word[0] | 1) + 1

    def close(self) -> None:
        """Let go of the file."""
        self._word.release()
        self._map.close()
