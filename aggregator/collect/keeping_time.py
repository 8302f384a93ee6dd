"""Noticing that a clock was set, so that lifetimes go on as they were."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial

from aggregator.collect import metrics
from aggregator.collect.recording import Recording
from aggregator.errors import StoreUnavailable
from aggregator.store import anchor
from aggregator.store.clock import wall_ahead

logger = logging.getLogger(__name__)

#: Seconds between two looks, and between two notes of how far the time has come.
_LOOK, _NOTED_EVERY = 1.0, 30.0
#: Microseconds by which the host's time of day moved, if it was set.
_SET = 100_000


class KeepingTime:
    """Looks at the clocks; takes note of what they show where `is_leader` says so.

    `on_host_set` is called when the time of day of this host was set.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        is_leader: Callable[[], bool],
        on_host_set: Callable[[], None],
    ) -> None:
        self._recording = recording
        self._is_leader = is_leader
        self._on_host_set = on_host_set
        self._host = wall_ahead()
        self._clock = recording.store.clock
        self._ahead = self._clock.ahead()
        self._noted = 0.0

    async def look_on(self) -> None:
        """Look for ever."""
        while True:
            host = wall_ahead()
            if abs(host - self._host) > _SET:
                self._host = host
                self._on_host_set()
            try:
                await self.look()
            except StoreUnavailable as error:
                logger.debug("the clocks can't be compared: %s", error)
            await asyncio.sleep(_LOOK)

    async def look(self) -> None:
        """See whether the store's time of day was set; raises StoreUnavailable."""
        store = self._recording.store
        if store.is_sqlite:
            await self._look_at_host()
            return
        await asyncio.to_thread(store.measure_clock)
        jump, known = self._clock.jump
        if jump and self._is_leader():
            await self._recording.write(partial(anchor.set_forward, by=jump, known=known))
            self._tell(jump)

    async def _look_at_host(self) -> None:
        ahead = self._clock.ahead()
        now = time.monotonic()
        if ahead == self._ahead and now - self._noted < _NOTED_EVERY:
            return
        if self._is_leader():
            await self._recording.write(partial(anchor.keep, known=self._clock))
            self._noted = now
        if ahead != self._ahead:
            self._tell(ahead - self._ahead)
            self._ahead = ahead

    def _tell(self, by: int) -> None:
        metrics.CLOCK_SET.inc()
        logger.warning(
            "the time of day was set %s by %.3f s; registrations live as long as they would have",
            "forward" if by > 0 else "back",
            abs(by) / 1e6,
        )
