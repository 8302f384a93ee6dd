"""Keep every delivery with the time of its arrival: the sink of an archive."""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.contract import AggregatorSink, Delivery, SinkContext, SinkType


class ArchiveSink(AggregatorSink):
    """Keeps what comes, and publishes it as an index would.

    What it keeps of an entry stays when that is gone, until it has been kept for long enough.
    """

    async def deliver(
        self, batch: Sequence[Delivery], *, context: SinkContext
    ) -> Sequence[tuple[bytes, ...] | None]:
        """Keep the deliveries; publish them unchanged."""
        await context.archive.keep(batch)
        return [delivery.collected.content for delivery in batch]


PLUGIN = SinkType("archive", ArchiveSink())
