"""Eight bytes that all processes of a host see: whether anybody wrote since one looked last.

Whoever is about to write makes the number odd before the transaction begins and even again, two
higher, when it is over. So a reader that finds the even number that it has seen before a question
knows that the store has nothing new without asking it, which would take a hundred times as long.
One that was killed in its turn leaves it odd, which tells a reader nothing, until the next turn.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct

_WORD = struct.Struct("=Q")
_SIZE = _WORD.size


class TurnMark:
    """The number, in the file of a descriptor that stays open; OSError where there is no room."""

    def __init__(self, file: int) -> None:
        # A map without room on the disk behind it ends the process that looks at it.
        os.posix_fallocate(file, 0, _SIZE)
        self._map = mmap.mmap(file, _SIZE)
        # Read as one word of the machine. What is written goes to the file: where a disk takes new
        # room for it and is full that fails, and writing to the map would end the process.
        self._word = memoryview(self._map).cast("Q")
        self._file = file

    def seen(self) -> int | None:
        """The number, None while somebody writes."""
        number = self._word[0]
        return None if number & 1 else number

    def begin(self) -> None:
        """Tell that a turn begins. For who holds the lock; OSError: it may not begin."""
        if not self._word[0] & 1:
            self._write(self._word[0] + 1)

    def end(self) -> None:
        """Tell that it is over; where that can't be told, it seems to last, which harms nobody."""
        with contextlib.suppress(OSError):
            self._write((self._word[0] | 1) + 1)

    def _write(self, number: int) -> None:
        os.pwrite(self._file, _WORD.pack(number % 2**64), 0)

    def close(self) -> None:
        """Let go of the file."""
        self._word.release()
        self._map.close()
