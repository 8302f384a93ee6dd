"""Which triggers of TriggerService a member's data is held against."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aggregator.store.triggers import triggers_of
from aggregator.wire.trigger_rules import TriggerRule


@dataclass(frozen=True, slots=True)
class Fed:
    """A trigger that is enabled, and the entry that feeds it, None while none does."""

    id: str
    name: str
    rule: TriggerRule
    version: int
    entry_id: int | None


def fed_by(connection: Any, *, addresses: Collection[str], now: int) -> Mapping[str, Sequence[Fed]]:
    """The enabled triggers by the addresses of the members that they watch."""
    found: dict[str, list[Fed]] = defaultdict(list)
    for fed in triggers_of(connection, sorted(addresses), now=now):
        stored = fed.trigger
        rule = TriggerRule.loads(json.loads(stored.rule))
        found[stored.address].append(
            Fed(stored.id, stored.name, rule, stored.version, fed.entry_id)
        )
    return found
