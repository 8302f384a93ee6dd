"""What the front waits for: connections, listeners, other files, and what threads tell it."""

from __future__ import annotations

import contextlib
import logging
import os
import select
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue

from aggregator.run.connection import Connection

log = logging.getLogger(__name__)

#: What a connection can be waited for: that it can be read, or written to; once for each wish, so
#: that nothing is heard of it while a thread has it in hand.
READ, WRITE = select.EPOLLIN | select.EPOLLONESHOT, select.EPOLLOUT | select.EPOLLONESHOT


#: Connections that are served before the others, and newcomers, are looked at again: each may cost
#: a millisecond.
_MOST = 32


class Polling:
    """Calls what is to be done when something can be; `serve` is for connections.

    All methods but `tell` and `again` are for one thread. It lives as long as its process: threads
    may tell it something to the last.
    """

    def __init__(self, serve: Callable[[Connection], None]) -> None:
        self._serve = serve
        self._epoll = select.epoll()
        self._calls: dict[int, Callable[[], None]] = {}
        self._told: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.watch(self._bell, self._hear)

    def tell(self, what: Callable[[], None]) -> None:
        """Have something called in the front's thread. For any thread."""
        self._told.put(what)
        with contextlib.suppress(OSError):
            os.eventfd_write(self._bell, 1)

    def wait(self, longest: float) -> bool:
        """Do what can be done; wait for it for so many seconds at most. Whether there is more."""
        ready = self._epoll.poll(longest, _MOST)
        for number, _ in ready:
            # What was done for one may have ended another.
            call = self._calls.get(number)
            if call is not None:
                call()
        return len(ready) == _MOST

    def watch(self, number: int, call: Callable[[], None]) -> None:
        """Call `call` whenever the file of a number can be read."""
        self._epoll.register(number, select.EPOLLIN)
        self._calls[number] = call

    def forget(self, number: int) -> None:
        """Watch a file no more."""
        del self._calls[number]
        self._epoll.unregister(number)

    def listen(self, connection: Connection, wanted: int) -> None:
        """Call for a connection once, as soon as it can be read (READ) or written to (WRITE)."""
        if connection.number not in self._calls:
            self._epoll.register(connection.number, wanted)
            self._calls[connection.number] = partial(self._serve, connection)
        else:
            self._epoll.modify(connection.number, wanted)

    def again(self, connection: Connection) -> None:
        """Call for a connection that was read, once more. For the thread that had it in hand."""
        with contextlib.suppress(OSError):  # It may be gone by now.
            self._epoll.modify(connection.number, READ)

    def leave(self, connection: Connection) -> None:
        """Wait for a connection no more."""
        if self._calls.pop(connection.number, None) is not None:
            with contextlib.suppress(OSError):
                self._epoll.unregister(connection.number)

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._bell)
        with contextlib.suppress(Empty):
            while True:
                told = self._told.get_nowait()
                try:
                    told()
                except Exception:
                    log.exception("bug in what a thread left")
