"""What a sink is, and what it is offered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from logging import LoggerAdapter
from typing import Any, Protocol

from aggregator.contract.shared import Collected, Group
from aggregator.model import MemberFacts, Plan
from aggregator.wire.parse import Element
from aggregator.wire.trigger_rules import TriggerRule


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


class Measurements(Protocol):
    """The tables of the service's own measurement archive."""

    async def keep(self, deliveries: Sequence[Delivery]) -> None:
        """Keep what nmwg:message documents among deliveries tell, in the delivery's transaction.

        Documents of other kinds are passed by. Raises DeliverError where one can't be read.
        """


class SinkTables(Protocol):
    """A sink's own tables. What is written joins the transaction of the delivery."""

    async def read(self, sql: str, **values: object) -> Sequence[Sequence[Any]]:
        """Rows of a SELECT with :name parameters, as committed."""

    def write(self, sql: str, **values: object) -> None:
        """A statement with :name parameters that runs in the delivery's transaction."""


class Triggers(Protocol):
    """Rules that are held against deliveries, with the actions that they ask for.

    What is known of a rule is kept by the service, over restarts; what a delivery changes of it is
    written in the delivery's transaction, and actions are run after that.
    """

    async def watch(
        self, batch: Sequence[Delivery], rules: Sequence[Sequence[TriggerRule]]
    ) -> Sequence[tuple[bytes, ...]]:
        """Hold its own rules against each delivery; for each, a TriggerStatus for every rule.

        The rules of an entry are known by their places: the same ones in the same order, always.
        """

    async def watch_members(self, batch: Sequence[Delivery]) -> None:
        """Hold the triggers of TriggerService against the deliveries of their members."""

    def forget(self, entry: MemberFacts, rules: int) -> None:
        """Drop what is known of an entry's first so many rules."""


class SinkContext(Protocol):
    """What the collector offers to a sink."""

    @property
    def tables(self) -> SinkTables:
        """The sink's own tables."""

    @property
    def archive(self) -> Archive:
        """The archive of the group."""

    @property
    def measurements(self) -> Measurements:
        """The service's own measurement archive."""

    @property
    def triggers(self) -> Triggers:
        """Rules on what is delivered."""

    @property
    def now(self) -> int:
        """The present instant by the store's clock, microseconds."""

    @property
    def log(self) -> LoggerAdapter[Any]:
        """A logger that names the sink and the group."""


class AggregatorSink:
    """Takes what sources collect. Subclass it; only `deliver` is needed."""

    def check(self, config: Element, *, group: Group) -> Plan | None:
        """Look at every registration of the group; ConfigError refuses the Add. Pure."""
        return None

    async def deliver(
        self, batch: Sequence[Delivery], *, context: SinkContext
    ) -> Sequence[tuple[bytes, ...] | None]:
        """Take deliveries; for each, the children of AggregatorData to publish, None for none.

        Only what the group's first sink returns is published.
        """
        raise NotImplementedError

    async def forget(self, entry: MemberFacts, *, context: SinkContext) -> None:
        """Drop what is kept of an entry that is gone. Must be safe to call twice."""


@dataclass(frozen=True, slots=True)
class SinkType:
    """The value that a sink module ends with.

    ``migrations`` are the steps that make the sink's own tables, in order, each a tuple of SQL
    statements that SQLite and PostgreSQL both take; every table's name begins with ``sink_`` and
    the sink's name. Steps are only ever appended. ``elements`` are the Clark names of the
    AggregatorConfig blocks that it reads; a group without it refuses them.
    """

    name: str
    sink: AggregatorSink
    migrations: tuple[tuple[str, ...], ...] = ()
    elements: tuple[str, ...] = ()
