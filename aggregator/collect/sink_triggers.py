"""The way of sinks to rules: what a delivery says of them, written in its transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from aggregator.contract import Delivery
from aggregator.model import MemberFacts
from aggregator.store.collection import Assignment
from aggregator.store.rule_states import forget_rule
from aggregator.store.sink_tables import StoreTables
from aggregator.store.write import Write
from aggregator.triggers.fed import fed_by
from aggregator.triggers.watched import Watched
from aggregator.triggers.watching import Watching
from aggregator.wire.trigger_rules import TriggerRule


@dataclass(frozen=True, slots=True)
class SinkTriggers:
    """`aggregator.contract.Triggers` of one call of a sink; `assigned` are its entries by key."""

    watching: Watching
    tables: StoreTables
    assigned: Mapping[str, Assignment]

    async def watch(
        self, batch: Sequence[Delivery], rules: Sequence[Sequence[TriggerRule]]
    ) -> Sequence[tuple[bytes, ...]]:
        """Hold its own rules against each delivery; for each, a TriggerStatus for every rule."""
        watched = [
            self._watched(delivery, rule, key=f"{delivery.entry.key}/{place}", name=str(place))
            for delivery, its in zip(batch, rules, strict=True)
            for place, rule in enumerate(its)
        ]
        seen = await self.watching.look(watched)
        statuses = iter(await self.watching.statuses(seen))
        self.tables.join(partial(self.watching.write, seen=seen))
        return [tuple(next(statuses) for _ in its) for its in rules]

    async def watch_members(self, batch: Sequence[Delivery]) -> None:
        """Hold the triggers of TriggerService against the deliveries of their members."""
        addresses = {delivery.entry.epr.address.strip() for delivery in batch}
        fed = await self.watching.ask(partial(fed_by, addresses=addresses, now=self.watching.now()))
        watched = []
        feeding: dict[str, int] = {}
        for delivery in batch:
            assigned = self.assigned[delivery.entry.key]
            for trigger in fed.get(delivery.entry.epr.address.strip(), ()):
                # Another registration of the same member that still lives may feed it already.
                feeder = trigger.entry_id or feeding.setdefault(trigger.id, assigned.id)
                if feeder == assigned.id:
                    watched.append(
                        self._watched(
                            delivery,
                            trigger.rule,
                            key=trigger.id,
                            name=trigger.name or trigger.id,
                            trigger=trigger.id,
                            version=trigger.version,
                        )
                    )
        if watched:
            seen = await self.watching.look(watched)
            self.tables.join(partial(self.watching.write, seen=seen))

    def forget(self, entry: MemberFacts, rules: int) -> None:
        """Drop what is known of an entry's first so many rules."""

        def unit(write: Write) -> None:
            for place in range(rules):
                forget_rule(write, f"{entry.key}/{place}")

        self.tables.join(unit)

    def _watched(
        self,
        delivery: Delivery,
        rule: TriggerRule,
        *,
        key: str,
        name: str,
        trigger: str = "",
        version: int = 0,
    ) -> Watched:
        assigned = self.assigned[delivery.entry.key]
        return Watched(
            key=key,
            name=name,
            rule=rule,
            group=assigned.group,
            group_id=assigned.group_id,
            entry=assigned.key,
            entry_id=assigned.id,
            slot=assigned.shard,
            member=delivery.entry.epr.address.strip(),
            epr=assigned.member,
            config=assigned.config,
            data=delivery.collected.content or (),
            pushed=not assigned.plan.interval,
            trigger=trigger,
            version=version,
        )
