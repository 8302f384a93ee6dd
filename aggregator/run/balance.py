"""How many connections each web worker has, for all of them to see.

The kernel wakes all workers for a newcomer, and who comes first takes it: of a dozen clients that
stay, one worker may get them all, on one core, while its siblings sleep. So a worker that has more
than the least busy of its siblings leaves them a moment.
"""

from __future__ import annotations

import mmap

#: More workers than a host has, those that still end included.
_SEATS = 256
_BYTES = 4


class Balance:
    """Made before the workers are forked, which inherit the memory."""

    def __init__(self) -> None:
        # 0: nobody is there; else one more than the connections.
        self._seats = memoryview(mmap.mmap(-1, _SEATS * _BYTES)).cast("I")

    def seat(self, number: int) -> Seat:
        """The seat of the worker of a number."""
        return Seat(self._seats, number % _SEATS)


class Seat:
    """What one worker tells and asks."""

    def __init__(self, seats: memoryview[int], number: int) -> None:
        self._seats = seats
        self._number = number
        self._left = False

    def tell(self, connections: int) -> None:
        """Have so many connections from now on; nobody asks that of who has left."""
        if not self._left:
            self._seats[self._number] = connections + 1

    def leave(self) -> None:
        """Take none any more."""
        self._left = True
        self._seats[self._number] = 0

    @property
    def is_ahead(self) -> bool:
        """Whether a sibling that takes connections has clearly fewer."""
        mine = self._seats[self._number]
        least = min((taken for taken in self._seats if taken), default=mine)
        # Of many, some more make no difference, and a crowd shall not wait for its sharing out.
        return mine > least + least // 8
