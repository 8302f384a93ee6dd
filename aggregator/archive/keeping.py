"""How deliveries come into an archive: `aggregator.contract.Archive`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic

from aggregator.archive import metrics
from aggregator.archive.document import document
from aggregator.archive.extracting import Extractor
from aggregator.config import Settings
from aggregator.config.series import Series
from aggregator.contract import Delivery
from aggregator.model import MemberFacts
from aggregator.registry.fingerprint import references_digest
from aggregator.store.archive_packing import Bases
from aggregator.store.archive_writing import Arrival, archive
from aggregator.store.content import digest, pack
from aggregator.store.entries import existing_keys
from aggregator.store.write import Write
from aggregator.wire.epr import EndpointReference
from aggregator.wire.times import MILLISECOND

#: Documents whose numbers are remembered: many come again unchanged.
_KNOWN = 10_000

#: Seconds for the numbers of all deliveries that come together; others are kept without.
_PATIENCE = 2.0

Join = Callable[[Callable[[Write], object]], None]


class Archives:
    """What the archives of a collector share; one for all groups."""

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings()
        self._bases = Bases()
        self._extractor = Extractor()
        self._known: OrderedDict[tuple[str, str], Mapping[str, float]] = OrderedDict()

    def of(self, group: str, join: Join) -> GroupArchive:
        """The archive of a group for one delivery, whose transaction `join` adds units to."""
        return GroupArchive(group, self, join)

    async def keep(self, group: str, deliveries: Sequence[Delivery], join: Join) -> None:
        """Keep deliveries of a group."""
        until = monotonic() + _PATIENCE
        numbers = {
            # Who is slow costs himself alone.
            place: await self._numbers(group, deliveries[place], until)
            for place in self._extractor.penalties.order([one.entry.key for one in deliveries])
        }
        arrivals = [self._arrival(one, numbers[place]) for place, one in enumerate(deliveries)]
        metrics.KEPT.labels(group).inc(len(arrivals))

        def unit(write: Write) -> None:
            # A collection may end after its entry did.
            there = existing_keys(write.connection, [one.entry_key for one in arrivals])
            archive(write, group, [one for one in arrivals if one.entry_key in there], self._bases)

        join(unit)

    def close(self) -> None:
        """End the process that takes numbers."""
        self._extractor.close()

    def _arrival(self, delivery: Delivery, values: Mapping[str, float]) -> Arrival:
        intervals = self._settings.collect.stale_intervals
        return Arrival(
            entry_key=delivery.entry.key,
            address=delivery.entry.epr.address,
            reference=_reference(delivery.entry),
            epr=delivery.entry.epr_xml,
            at=delivery.at,
            gap=intervals * delivery.interval * MILLISECOND,
            children=delivery.collected.content or (),
            values=values,
        )

    async def _numbers(self, group: str, delivery: Delivery, until: float) -> Mapping[str, float]:
        series = self._series(group)
        if not series:
            return {}
        children = delivery.collected.content or ()
        known = group, digest(pack(children))
        found = self._known.get(known)
        if found is None:
            found = await self._extractor.numbers(
                group, series, document(children), entry=delivery.entry.key, until=until
            )
            if found is None:
                # They may be told the next time that the document comes.
                return {}
            self._known[known] = found
            while len(self._known) > _KNOWN:
                self._known.popitem(last=False)
        self._known.move_to_end(known)
        return found

    def _series(self, group: str) -> Sequence[Series]:
        found = self._settings.groups.get(group)
        return () if found is None else found.series


@dataclass(frozen=True, slots=True)
class GroupArchive:
    """The archive of a group, open for one delivery."""

    group: str
    archives: Archives
    join: Join

    async def keep(self, deliveries: Sequence[Delivery]) -> None:
        """Keep deliveries, in the transaction of the delivery."""
        await self.archives.keep(self.group, deliveries, self.join)


def _reference(entry: MemberFacts) -> str:
    return _digest(entry.epr) if entry.epr.references else ""


@lru_cache(maxsize=10_000)
def _digest(epr: EndpointReference) -> str:
    return references_digest(epr)
