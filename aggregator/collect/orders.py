"""What signals ask of the collector: to end, or to begin again with the settings read anew."""

from __future__ import annotations

import asyncio
import contextlib
import signal


class Orders:
    """Takes signals from now on, also between two event loops, when asyncio's own handlers are off.

    SIGTERM and SIGINT order the end, and SIGHUP a new beginning where `heeding_hup`.
    """

    def __init__(self, *, heeding_hup: bool) -> None:
        self.end = False
        self._again = False
        self._heeding_hup = heeding_hup
        self._wake: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._take)

    def told(self) -> asyncio.Event:
        """For the present loop: set once there is an order, one that came before included."""
        event = asyncio.Event()
        self._wake = asyncio.get_running_loop(), event
        if self.end or self._again:
            event.set()
        return event

    @property
    def goes_on(self) -> bool:
        """Whether there is an order to begin again, and none to end."""
        return self._again and not self.end

    def take_again(self) -> bool:
        """Whether to begin again; an order that comes after this is one of its own."""
        again, self._again = self._again, False
        return again and not self.end

    def _take(self, number: int, _: object) -> None:
        if number != signal.SIGHUP:
            self.end = True
        elif self._heeding_hup:
            self._again = True
        else:
            return
        if self._wake is not None:
            loop, event = self._wake
            with contextlib.suppress(RuntimeError):  # That loop is closed; the next one asks.
                loop.call_soon_threadsafe(event.set)
