"""The way of one subscription to its consumer: in order, one message at a time, tried again."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from aggregator.errors import CollectError

logger = logging.getLogger(__name__)
T = TypeVar("T")

#: Seconds until the second try, and at most between two.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0


class Lane(Generic[T]):
    """Takes from a queue and sends, for ever; a lane that waits keeps no other waiting.

    `take` waits for what is to be sent next, `send` raises CollectError where it was not taken,
    `done` is told that it was, `failed` of each failure.
    """

    def __init__(
        self,
        *,
        take: Callable[[], Awaitable[Sequence[T]]],
        send: Callable[[Sequence[T]], Awaitable[None]],
        done: Callable[[Sequence[T]], None],
        failed: Callable[[CollectError], None],
    ) -> None:
        self._take = take
        self._send = send
        self._done = done
        self._failed = failed

    async def run(self) -> None:
        """Send for ever."""
        pause = _FIRST_PAUSE
        while True:
            try:
                # Asked anew each time: what waits may have been dropped meanwhile.
                batch = await self._take()
                await self._send(batch)
                self._done(batch)
                pause = _FIRST_PAUSE
                continue
            except CollectError as error:
                self._failed(error)
            except Exception:
                # It must not end a subscription in silence.
                logger.exception("bug in notifying a subscriber")
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(2 * pause, _LONGEST_PAUSE)
