"""Publish what is collected in the entry's own Content: the sink of an index."""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.contract import AggregatorSink, Delivery, SinkContext, SinkType


class ServiceGroupEntryAggregatorSink(AggregatorSink):
    """Publishes each member's data as it came, in place of what was there before."""

    async def deliver(
        self, batch: Sequence[Delivery], *, context: SinkContext
    ) -> Sequence[tuple[bytes, ...] | None]:
        """Publish the content of every delivery unchanged."""
        return [delivery.collected.content for delivery in batch]


PLUGIN = SinkType("index", ServiceGroupEntryAggregatorSink())
