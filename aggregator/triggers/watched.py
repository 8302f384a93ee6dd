"""A rule with the data that it is held against, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.store.rule_states import RuleState
from aggregator.triggers.decision import Verdict
from aggregator.wire.namespaces import AGG
from aggregator.wire.trigger_rules import TriggerRule

_OPENING = f'<agg:AggregatorData xmlns:agg="{AGG}">'.encode()
_CLOSING = b"</agg:AggregatorData>"


@dataclass(frozen=True, slots=True)
class Watched:
    """A rule and the data that it is held against.

    ``key`` is what the rule is known by in the store, ``name`` for people, ``trigger`` the id of
    the trigger that it is of, ``version`` which of its versions it is. ``pushed`` says that the
    data stays as it is until more comes.
    """

    key: str
    name: str
    rule: TriggerRule
    group: str
    group_id: int
    entry: str
    entry_id: int
    slot: int
    member: str
    epr: bytes
    config: bytes
    data: tuple[bytes, ...]
    pushed: bool = False
    trigger: str = ""
    version: int = 0

    @property
    def document(self) -> bytes:
        """What the expression is evaluated on."""
        return b"".join((_OPENING, *self.data, _CLOSING))


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule's expression said at an instant. ``holds`` is None where that can't be told;
    ``trouble`` says why, or is None where nothing new is known of that."""

    at: int
    holds: bool | None = None
    result: str | None = None
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What becomes of a rule of which `before` was known: its state from now on, whether it fires,
    what its action is told."""

    watched: Watched
    found: Found
    before: RuleState
    state: RuleState
    verdict: Verdict = ""
    told: bytes = b""
