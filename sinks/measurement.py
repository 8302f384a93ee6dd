"""Keep the measurements in what is collected: the sink that fills a measurement archive."""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.contract import AggregatorSink, Delivery, SinkContext, SinkType


class MeasurementSink(AggregatorSink):
    """Keeps what documents nmwg:message tell, for the measurement archive.

    All is published as it came. What it keeps of an entry stays when that is gone.
    """

    async def deliver(
        self, batch: Sequence[Delivery], *, context: SinkContext
    ) -> Sequence[tuple[bytes, ...] | None]:
        """Keep measurements; publish the deliveries unchanged."""
        await context.measurements.keep(batch)
        return [delivery.collected.content for delivery in batch]


PLUGIN = SinkType("measurement", MeasurementSink())
