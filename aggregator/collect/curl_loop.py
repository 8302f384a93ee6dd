"""libcurl's multi interface on the asyncio loop, by a poll of its own.

The sockets of all exchanges are watched by one epoll that the loop watches as a single file:
libcurl asks for a change of watch twice per exchange, which costs a third of what the loop's own
add_reader and add_writer would.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
from collections.abc import Callable

import pycurl

#: Called for an exchange that has ended: its handle, libcurl's error number (0: none), its words.
OnEnd = Callable[[pycurl.Curl, int, str], None]

_EVENTS = {
    pycurl.POLL_IN: select.EPOLLIN,
    pycurl.POLL_OUT: select.EPOLLOUT,
    pycurl.POLL_INOUT: select.EPOLLIN | select.EPOLLOUT,
}


class CurlLoop:
    """Runs exchanges on the present loop and tells `on_end` of each that has ended by itself."""

    def __init__(self, *, per_host: int, idle: int, on_end: OnEnd) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_end = on_end
        self._poll = select.epoll()
        self._watched: set[int] = set()
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._soon = False
        multi = self._multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, per_host)
        multi.setopt(pycurl.M_MAXCONNECTS, idle)
        multi.setopt(pycurl.M_PIPELINING, 0)
        self._loop.add_reader(self._poll.fileno(), self._on_ready)

    def start(self, curl: pycurl.Curl) -> None:
        """Begin the exchange that a handle is set up for."""
        self._multi.add_handle(curl)

    def forget(self, curl: pycurl.Curl) -> None:
        """Let go of a handle; where its exchange has not ended, the connection is dropped."""
        self._multi.remove_handle(curl)

    def close(self) -> None:
        """Close all connections; every handle must have been forgotten."""
        self._loop.remove_reader(self._poll.fileno())
        if self._timer is not None:
            self._timer.cancel()
        self._multi.close()
        self._poll.close()

    def _on_socket(self, what: int, fd: int, multi: pycurl.CurlMulti, data: object) -> None:
        """Watch a socket as libcurl asks (CURLMOPT_SOCKETFUNCTION)."""
        if what == pycurl.POLL_REMOVE:
            self._watched.discard(fd)
            # A socket that was closed before has left the poll by itself.
            with contextlib.suppress(OSError):
                self._poll.unregister(fd)
        elif fd in self._watched:
            self._poll.modify(fd, _EVENTS[what])
        else:
            self._watched.add(fd)
            self._poll.register(fd, _EVENTS[what])

    def _on_timer(self, milliseconds: int) -> None:
        """Wake libcurl up in time (CURLMOPT_TIMERFUNCTION); -1 takes that back.

        It asks several times per exchange, so a timer that is set already stays as it is and is
        set anew only when it fires too early.
        """
        if milliseconds < 0:
            self._deadline = None
            return
        self._deadline = self._loop.time() + milliseconds / 1000
        if milliseconds == 0:
            if not self._soon:
                self._soon = True
                self._loop.call_soon(self._at_once)
        elif self._timer is None or self._timer.when() > self._deadline:
            self._set_timer(self._deadline)

    def _set_timer(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._on_time)

    def _at_once(self) -> None:
        self._soon = False
        self._act(pycurl.SOCKET_TIMEOUT, 0)

    def _on_time(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        if self._deadline <= self._loop.time():
            self._act(pycurl.SOCKET_TIMEOUT, 0)
        elif self._timer is None:
            self._set_timer(self._deadline)

    def _on_ready(self) -> None:
        for fd, events in self._poll.poll(0):
            if fd in self._watched:
                bits = pycurl.CSELECT_IN if events & ~select.EPOLLOUT else 0
                bits |= pycurl.CSELECT_OUT if events & select.EPOLLOUT else 0
                self._act(fd, bits)

    def _act(self, fd: int, events: int) -> None:
        """Let libcurl work on a socket or on what is due, and tell of what has ended."""
        self._multi.socket_action(fd, events)
        more = 1
        while more:
            more, ended, failed = self._multi.info_read()
            for curl in ended:
                self._on_end(curl, 0, "")
            for curl, number, said in failed:
                self._on_end(curl, number, said)
