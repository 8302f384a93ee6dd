"""How measurements in deliveries come into our tables: `aggregator.contract.Measurements`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from aggregator.archive.measurements import measurements
from aggregator.contract import Delivery
from aggregator.errors import DeliverError, MeasurementsRefused, RequestError
from aggregator.store.measured_writing import Prepared
from aggregator.store.write import Write
from aggregator.threads import in_daemon
from aggregator.wire.nmwg_metadata import MESSAGE
from aggregator.wire.nmwg_names import NMWG
from aggregator.wire.parse import parse

_MARK = NMWG.encode()


@dataclass(frozen=True, slots=True)
class DeliveredMeasurements:
    """The measurements of one delivery, whose transaction `join` adds units to."""

    join: Callable[[Callable[[Write], object]], None]

    async def keep(self, deliveries: Sequence[Delivery]) -> None:
        """Keep them; raises DeliverError where a document's can't be."""
        if not any(_MARK in piece for one in deliveries for piece in _pieces(one)):
            return
        # A document may be large, and others are collected meanwhile.
        found = await in_daemon(lambda: list(_prepared(deliveries)))

        def unit(write: Write) -> None:
            for one in found:
                one.into(write)

        self.join(unit)


def _pieces(delivery: Delivery) -> Sequence[bytes]:
    return delivery.collected.content or ()


def _prepared(deliveries: Sequence[Delivery]) -> Iterator[Prepared]:
    for delivery in deliveries:
        for piece in _pieces(delivery):
            if _MARK in piece:
                try:
                    for message in parse(piece).iter(MESSAGE):
                        yield from measurements(message)
                except (MeasurementsRefused, RequestError) as error:
                    raise DeliverError(f"its measurements can't be kept: {error}") from error
