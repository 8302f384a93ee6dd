"""The addresses at which notifications come, as sources are offered them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aggregator.errors import CollectError, NotifyRefused
from aggregator.store.consumers import (
    CONSUMER_PATH,
    close_consumer,
    mark_of,
    new_token,
    open_consumer,
    put_fetched,
)
from aggregator.store.write import Write

Writing = Callable[[Callable[[Write], Any]], Awaitable[Any]]


@dataclass(slots=True)
class StoreConsumers:
    """`aggregator.contract.Consumers` of one entry; of an Add's, while `entry` is None.

    `public_url` has no slash at its end. ``tokens`` are those that were opened and not closed.
    """

    write: Writing
    public_url: str
    group_id: int
    entry: int | None
    tokens: list[str] = field(default_factory=list)

    async def open(self) -> str:
        """A new address; StoreUnavailable where it can't be stored."""
        token = new_token()
        await self.write(
            partial(open_consumer, token=token, group_id=self.group_id, entry_id=self.entry)
        )
        self.tokens.append(token)
        return f"{self.public_url}{CONSUMER_PATH}{token}"

    def mark(self, address: str) -> str:
        """What to remember of an address that was opened here."""
        return mark_of(address.rpartition("/")[2])

    async def close(self, mark: str) -> None:
        """Take nothing more at an address. Safe twice."""
        await self.write(partial(close_consumer, mark=mark))
        self.tokens[:] = [token for token in self.tokens if mark_of(token) != mark]

    async def put(self, mark: str, messages: Sequence[bytes]) -> int:
        """Store messages as if they had come to an address; how many wait now."""
        try:
            return int(await self.write(partial(put_fetched, mark=mark, messages=messages)))
        except NotifyRefused as error:
            raise CollectError("the address for notifications is closed", code="gone") from error
