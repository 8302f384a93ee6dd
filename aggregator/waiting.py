"""Saying that a thread waits: for the disk, a database, another process.

Who runs threads may let another one work meanwhile, or refuse to wait at all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext

#: The key under which a WSGI environment says that the thread must not wait: an application answers
#: with `Later` what may have to.
AT_ONCE = "aggregator.at_once"

ENDING = threading.Event()
"""Set once this process answers nobody anew: whoever makes a client wait lets it go."""

_nothing: AbstractContextManager[None] = nullcontext()
_announce: Callable[[], AbstractContextManager[None]] = lambda: _nothing  # noqa: E731


class WouldWait(BaseException):
    """Raised by a block of `waiting` in a thread that must not wait; nothing was done in it.

    It is no error, and passes by those who deal with errors.
    """


class Later(Iterable[bytes]):
    """What a WSGI application returns to who must not wait: `answer` goes on in a thread that may,
    and gives what it would have returned.

    A reply that goes on for long may have one among its pieces: it is gone on with in a thread that
    may wait, or, after a `Pending`, once that is done or its patience is over; `answer` is not
    called then. It may also be gone on with sooner.
    """

    def __init__(self, answer: Callable[[], Iterable[bytes]]) -> None:
        self.answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.answer())


class Pending(Later):
    """The same for what is being written: nobody needs to wait for it in a thread.

    `when_done` has a function called, in any thread, once it is written. `answer` may be called
    then, and after `patience` seconds in any case.
    """

    def __init__(
        self,
        answer: Callable[[], Iterable[bytes]],
        *,
        when_done: Callable[[Callable[[], None]], None],
        patience: float,
    ) -> None:
        super().__init__(answer)
        self.when_done = when_done
        self.patience = patience


def waiting() -> AbstractContextManager[None]:
    """A block in which the present thread waits for something outside of this process."""
    return _announce()


def announce_to(announce: Callable[[], AbstractContextManager[None]]) -> None:
    """Have `announce` called for each block of `waiting` in this process from now on."""
    global _announce  # noqa: PLW0603  (a process has one pool of threads, or none)
    _announce = announce


def but_here(
    announce: Callable[[], AbstractContextManager[None]],
) -> Callable[[], AbstractContextManager[None]]:
    """`announce` for all threads but the present one, in which it raises WouldWait."""
    here = threading.get_ident()

    def announced() -> AbstractContextManager[None]:
        if threading.get_ident() == here:
            raise WouldWait
        return announce()

    return announced
