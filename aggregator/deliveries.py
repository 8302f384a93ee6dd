"""What sinks are given, and where they may keep it: a part of the contract with plug-ins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from aggregator.model import MemberFacts, Plan

if TYPE_CHECKING:
    from aggregator.contract import Collected


@dataclass(frozen=True, slots=True)
class Delivery:
    """One collection's result on its way to the sinks; `at` is when it was collected.

    ``interval`` is the time from one collection to the next in milliseconds, 0 where the member is
    not polled.
    """

    entry: MemberFacts
    plan: Plan | None
    collected: Collected
    at: int
    interval: int = 0


class Archive(Protocol):
    """The archive of the group: documents with the time for which they came unchanged, and the
    numbers that the configuration takes out of them."""

    async def keep(self, deliveries: Sequence[Delivery]) -> None:
        """Keep deliveries, in the transaction of the delivery. What came before is kept once."""


class SinkTables(Protocol):
    """A sink's own tables. What is written joins the transaction of the delivery."""

    async def read(self, sql: str, **values: object) -> Sequence[Sequence[Any]]:
        """Rows of a SELECT with :name parameters, as committed."""

    def write(self, sql: str, **values: object) -> None:
        """A statement with :name parameters that runs in the delivery's transaction."""
