"""Feed the triggers of TriggerService: the sink of MDS4's TriggerRegistrationService (4.2)."""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.contract import AggregatorSink, Delivery, SinkContext, SinkType


class MonitoredAggregatorSink(AggregatorSink):
    """Publishes each member's data as it came, and holds the triggers that watch it against it."""

    async def deliver(
        self, batch: Sequence[Delivery], *, context: SinkContext
    ) -> Sequence[tuple[bytes, ...] | None]:
        """Hold the triggers of the members against what came of them."""
        await context.triggers.watch_members(batch)
        return [delivery.collected.content for delivery in batch]


PLUGIN = SinkType("monitored", MonitoredAggregatorSink())
