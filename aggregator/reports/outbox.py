"""What an aggregator pushed and is not stored yet, in its order."""

from __future__ import annotations

import asyncio

from aggregator.reports.process import Pushed

#: Updates past which the aggregator is handed no reports until they are stored.
_LONG = 100


class Outbox:
    """A queue that takes what comes, and tells when it is long: more than some updates, or `size`
    bytes of them. One call may add as much as an answer may be large."""

    def __init__(self, *, size: int) -> None:
        self._room = size
        self._queue: asyncio.Queue[Pushed] = asyncio.Queue()
        self._size = 0
        self._short = asyncio.Event()
        self._short.set()

    def put(self, pushed: Pushed) -> None:
        """Add an update."""
        self._queue.put_nowait(pushed)
        self._size += len(pushed.data)
        self._note()

    async def get(self) -> Pushed:
        """The oldest update, once there is one."""
        pushed = await self._queue.get()
        self._size -= len(pushed.data)
        self._note()
        return pushed

    def is_empty(self) -> bool:
        """Whether all was taken."""
        return self._queue.empty()

    async def room(self) -> None:
        """Wait while it is long."""
        await self._short.wait()

    def _note(self) -> None:
        if self._queue.qsize() > _LONG or self._size > self._room:
            self._short.clear()
        else:
            self._short.set()
