"""Hold rules against what is collected, as MDS4's trigger service (4.0)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from aggregator.contract import AggregatorSink, Delivery, Group, SinkContext, SinkType
from aggregator.errors import ConfigError
from aggregator.model import MemberFacts, Plan
from aggregator.wire.parse import Element
from aggregator.wire.trigger_rules import RULE, TriggerRule, read_rules

NAME = "trigger"
#: Rules of one registration.
MOST_RULES = 32


class TriggerAggregatorSink(AggregatorSink):
    """Publishes the state of each rule, a TriggerStatus, in place of the data."""

    def check(self, config: Element, *, group: Group) -> Plan:
        """Read the rules; ConfigError where there is none, or one that can't work."""
        rules = read_rules(config)
        if not rules:
            raise ConfigError(
                "the AggregatorConfig must contain an element of xsi:type TriggerRuleType, which "
                "says when to run which action",
                element="TriggerRuleType",
            )
        if len(rules) > MOST_RULES:
            raise ConfigError(
                f"there are {len(rules)} rules; at most {MOST_RULES} are taken of a registration",
                element="TriggerRuleType",
            )
        return Plan(NAME, 0, {"rules": [_resolved(rule, group).dumps() for rule in rules]})

    async def deliver(
        self, batch: Sequence[Delivery], *, context: SinkContext
    ) -> Sequence[tuple[bytes, ...] | None]:
        """Hold each entry's rules against its data."""
        return await context.triggers.watch(batch, [_rules(one.plan) for one in batch])

    async def forget(self, entry: MemberFacts, *, context: SinkContext) -> None:
        """Forget what was known of the entry's rules."""
        context.triggers.forget(entry, MOST_RULES)


def _resolved(rule: TriggerRule, group: Group) -> TriggerRule:
    try:
        return replace(rule, action_script=group.resolve_action(rule.action_script))
    except ConfigError as error:
        raise ConfigError(error.message, element="actionScript") from error


def _rules(plan: Plan | None) -> list[TriggerRule]:
    if plan is None:
        return []
    found = cast(Sequence[Mapping[str, Any]], plan.data["rules"])
    return [TriggerRule.loads(rule) for rule in found]


PLUGIN = SinkType(NAME, TriggerAggregatorSink(), elements=(RULE,))
