"""Places for expensive work: some for everybody together, fewer for one client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary

from aggregator.errors import QueryFailed


class Turns:
    """Lets `total` tasks work at once, `each` of one client; others wait `patience` seconds."""

    def __init__(self, *, total: int, each: int, patience: float) -> None:
        self._places = asyncio.Semaphore(total)
        self._each = each
        self._patience = patience
        # A client's places exist while somebody works or waits for it.
        self._clients: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, client: str) -> AsyncIterator[None]:
        """Work in a place of the client's; raises QueryFailed where none becomes free in time."""
        own = self._clients.get(client)
        if own is None:
            own = self._clients[client] = asyncio.Semaphore(self._each)
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._patience):
                    await held.enter_async_context(own)
                    await held.enter_async_context(self._places)
            except TimeoutError as error:
                raise QueryFailed(
                    f"too many expressions are being evaluated: {self._each} of one client, "
                    "and few of all clients together; try again"
                ) from error
            yield
