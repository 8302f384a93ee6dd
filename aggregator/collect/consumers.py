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
from aggregator.store.report_inbox import follow_reports
from aggregator.store.write import Write

Writing = Callable[[Callable[[Write], Any]], Awaitable[Any]]


@dataclass(slots=True)
class StoreConsumers:
    """`aggregator.contract.Consumers` of one entry; of an Add's, while `entry` is None.

    `public_url` has no slash at its end. ``tokens`` are those that were opened and not closed.
    ``takes_reports`` says whether nodes may report here.
    """

    write: Writing
    public_url: str
    group_id: int
    entry: int | None
    tokens: list[str] = field(default_factory=list)
    takes_reports: bool = False

    async def open(self, *, report: tuple[str, str] | None = None) -> str:
        """A new address; StoreUnavailable where it can't be stored, CollectError for reports where
        none are taken."""
        if report and not self.takes_reports:
            raise CollectError("no reports are taken here: reports.tokens is not set", code="off")
        token = new_token()
        await self.write(partial(self._open, token=token, report=report))
        self.tokens.append(token)
        return f"{self.public_url}{CONSUMER_PATH}{token}"

    def _open(self, write: Write, token: str, report: tuple[str, str] | None) -> None:
        open_consumer(write, token, group_id=self.group_id, entry_id=self.entry)
        if report:
            node, type = report
            follow_reports(write, mark_of(token), node=node, type=type)

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
