"""Where connections come in, as far as there is room for them."""

from __future__ import annotations

import errno
import logging
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial

from aggregator.run.polling import Polling

log = logging.getLogger(__name__)

#: Connections that are accepted before others are looked after.
_AT_ONCE = 16
#: Seconds after which some who wait are let in all the same, and how many: where requests wait, and
#: where a sibling has fewer connections.
_HELD, _SOME = 0.05, 4
_LEFT_TO_OTHERS, _ONE = 0.001, 1
_NOBODY_THERE = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED)
_NO_FILES_LEFT = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Doors:
    """The listeners. `is_behind` tells that requests wait for threads: whoever comes then waits
    before the door, and delays nobody who is in; a few are let in again and again, so that those
    who are in keep nobody out. `is_ahead` tells that a sibling has fewer connections: it is left a
    moment to take the next one. `has_room` makes room for one more, or says that
    there is none; `make_room` does so in any case; `begin` takes the socket, its client's address
    and its own."""

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        polling: Polling,
        *,
        is_behind: Callable[[], bool],
        is_ahead: Callable[[], bool],
        has_room: Callable[[], bool],
        make_room: Callable[[], bool],
        begin: Callable[[socket.socket, object, object], None],
    ) -> None:
        self._listeners = listeners
        self._polling = polling
        self._is_behind = is_behind
        self._is_ahead = is_ahead
        self._has_room = has_room
        self._make_room = make_room
        self._begin = begin
        self._wanted = self._open = False
        self._last_came = 0.0
        self._let_in_at = 0.0
        self._owed = self._then_owed = 0

    def open(self) -> None:
        """Take connections from now on."""
        self._wanted = True
        self._set(True)

    def close(self) -> None:
        """Leave new connections to others."""
        self._wanted = False
        self._set(False)

    @property
    def are_held(self) -> bool:
        """Whether those who come wait before the door for now."""
        return self._wanted and not self._open

    def look(self) -> None:
        """Take connections again, where they could not be taken for a while."""
        self._set(self._wanted)

    def catch_up(self) -> None:
        """Have connections taken again once no requests wait any more. For any thread."""
        if self.are_held and not self._is_behind():
            self._polling.tell(self.look)

    def patience(self, longest: float) -> float:
        """Seconds until somebody is to be let in, at most `longest`."""
        if not self.are_held:
            return longest
        return min(longest, max(0.0, self._let_in_at - time.monotonic()))

    def let_some_in(self, *, now: bool = False) -> None:
        """Take a few connections all the same, where nobody was let in for a while.

        With `now` look at the listeners in any case: they take their turn behind all connections,
        of which hundreds may be ready.
        """
        if self.are_held and time.monotonic() >= self._let_in_at:
            self._owed = self._then_owed
            self._set(True)
        for listener in self._listeners if now and self._open else ():
            self._accept(listener)

    def _set(self, open_: bool) -> None:
        if open_ == self._open:
            return
        self._open = open_
        for listener in self._listeners:
            if open_:
                listener.setblocking(False)
                self._polling.watch(listener.fileno(), partial(self._accept, listener))
            else:
                self._polling.forget(listener.fileno())

    def _hold(self) -> None:
        """Close for a while: there is no room, and nothing tells when there is."""
        self._let_in_at, self._then_owed = time.monotonic() + _HELD, 0
        self._set(False)

    def _may_come(self) -> bool:
        if self._is_behind():
            self._let_in_at, self._then_owed = self._last_came + _HELD, _SOME
        elif self._is_ahead():
            self._let_in_at, self._then_owed = time.monotonic() + _LEFT_TO_OTHERS, _ONE
        else:
            return True
        self._owed -= 1
        return self._owed >= 0

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            if not self._may_come():
                self._set(False)
                return
            if not self._has_room():
                self._hold()
                return
            try:
                sock, address = listener.accept()
            except OSError as error:
                if error.errno in _NO_FILES_LEFT:
                    log.warning("there are as many connections as the limit of files allows")
                    if not self._make_room():
                        self._hold()
                elif error.errno not in _NOBODY_THERE:
                    # Of the network, of a connection that broke before it was taken, of memory.
                    log.warning("a connection could not be accepted: %s", error)
                return
            self._last_came = time.monotonic()
            try:
                self._begin(sock, address, listener.getsockname())
            except OSError as error:
                log.warning("a connection broke as it came: %s", error)
                sock.close()
