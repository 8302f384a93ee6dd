"""What time it is by the store, so that all that share one agree when an entry ends.

The store's time goes on steadily, whatever happens to a clock that shows the time of day: a
lifetime is a length, and a clock that is set to another time changes no length. What clients are
shown and say is the time of day, which lies ahead of the store's time by what the clock was set
forward since. (docs/design/023-clock.md)
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

#: Seconds after which the difference to the server's clock is measured anew.
SAMPLED_EVERY = 5.0

#: Of this many questions the one that was answered fastest counts: its error is the smallest.
_QUESTIONS = 3
#: Microseconds that a clock must have been set by to be believed; what is less is noise.
_NOISE = 10_000
_MILLISECOND = 1000
#: The same for a server's clock, and seconds after which it is followed where no collector has
#: taken note that it was set.
_JUMP = 1_000_000
_BELIEVED_AFTER = 10.0
#: Microseconds between two readings that nothing came in between of.
_AT_ONCE = 100
_READINGS = 20


class StoreClock:
    """Microseconds since 1970 UTC.

    That of an embedded database is the steady clock of the host, which `anchor` sets to the time
    of day; before that, it is the time of day. That of a server is its time of day less what it
    was set forward, sampled, and carried on between two samples by the host's steady clock.
    """

    def __init__(self, *, follows_server: bool) -> None:
        self._follows_server = follows_server
        self._offset: int | None = None
        self._ahead = 0
        self._sampled = 0.0
        self._jumped_at: float | None = None
        self._sampling = threading.Lock()
        #: Microseconds by which the server's clock was set since it was last believed, and by how
        #: much it had been set before, as was known then; replaced together.
        self.jump = (0, 0)

    def now(self) -> int:
        """The present instant."""
        if self._offset is None:
            return time.time_ns() // 1000
        return steady() + self._offset

    def ahead(self) -> int:
        """How far the time of day is ahead of `now`, in microseconds."""
        if self._offset is None or self._follows_server:
            return self._ahead
        found = _read_at_once()
        if found is not None and abs(found - self._offset - self._ahead) > _NOISE:
            # To the millisecond, so that processes that read it themselves agree.
            self._ahead = round((found - self._offset) / _MILLISECOND) * _MILLISECOND
        return self._ahead

    def anchor(self, offset: int) -> None:
        """Let `now` be the host's steady clock, and so many microseconds."""
        self._offset = offset

    def is_due(self) -> bool:
        """Whether the difference to the server's clock should be measured."""
        if not self._follows_server:
            return False
        if self._offset is None:
            return True
        return time.monotonic() - self._sampled > (1.0 if self.jump[0] else SAMPLED_EVERY)

    def correct(self, ask: Callable[[], tuple[int, int]]) -> None:
        """Measure the difference to the server's clock.

        `ask` returns what that shows, and by how much it was set forward as far as is known to
        all who share it.
        """
        if not self._sampling.acquire(blocking=False):
            return
        try:
            _, shown, self._ahead = min(_sample(ask) for _ in range(_QUESTIONS))
            self._take(shown - self._ahead)
            self._sampled = time.monotonic()
        finally:
            self._sampling.release()

    def _take(self, offset: int) -> None:
        """Follow the server's clock, but not where it was set and somebody may yet say so."""
        jump = 0 if self._offset is None else offset - self._offset
        if abs(jump) < _JUMP:
            self._offset, self.jump, self._jumped_at = offset, (0, self._ahead), None
            return
        now = time.monotonic()
        if self._jumped_at is None:
            self._jumped_at = now
        if now - self._jumped_at > _BELIEVED_AFTER:
            self._offset, self.jump, self._jumped_at = offset, (0, self._ahead), None
        else:
            self.jump = jump, self._ahead


def steady() -> int:
    """The host's clock that is never set, in microseconds; it goes on while the host sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def wall_ahead() -> int:
    """How far the host's time of day is ahead of its steady clock."""
    while (found := _read_at_once()) is None:
        time.sleep(0)
    return found


def _read_at_once() -> int | None:
    """The difference of the host's clocks; None where something always came in between."""
    for _ in range(_READINGS):
        before = steady()
        wall = time.time_ns() // 1000
        between = steady() - before
        if between <= _AT_ONCE:
            return wall - before - between // 2
    return None


def _sample(ask: Callable[[], tuple[int, int]]) -> tuple[int, int, int]:
    """How long a question took, what was shown less our steady clock then, what was set forward."""
    began = steady()
    shown, ahead = ask()
    ended = steady()
    return ended - began, shown - (began + ended) // 2, ahead
