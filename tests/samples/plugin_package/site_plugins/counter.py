"""Count the deliveries of each entry, in a table of its own."""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.contract import AggregatorSink, Delivery, SinkContext, SinkType
from aggregator.model import MemberFacts

TABLE = "CREATE TABLE sink_counter_entries (entry TEXT PRIMARY KEY, deliveries BIGINT NOT NULL)"
COUNT = (
    "INSERT INTO sink_counter_entries (entry, deliveries) VALUES (:entry, 1) "
    "ON CONFLICT (entry) DO UPDATE SET deliveries = sink_counter_entries.deliveries + 1"
)
FORGET = "DELETE FROM sink_counter_entries WHERE entry = :entry"


class CounterSink(AggregatorSink):
    """Publishes nothing; its rows are its product."""

    async def deliver(
        self, batch: Sequence[Delivery], *, context: SinkContext
    ) -> Sequence[tuple[bytes, ...] | None]:
        """Count every delivery."""
        for delivery in batch:
            context.tables.write(COUNT, entry=delivery.entry.key)
        return [None] * len(batch)

    async def forget(self, entry: MemberFacts, *, context: SinkContext) -> None:
        """Drop the entry's row."""
        context.tables.write(FORGET, entry=entry.key)


PLUGIN = SinkType("counter", CounterSink(), migrations=((TABLE,),))
