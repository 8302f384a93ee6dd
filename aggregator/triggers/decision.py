"""Whether a rule fires, from what is known of it and what its expression says now.

The rules are MDS4's (trigger service, minimumMatchTime and minimumFiringInterval), with what it
lacked: an alert that ends says so, and a moment that falls between two collections is not missed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from aggregator.store.rule_states import RuleState
from aggregator.wire.times import SECOND
from aggregator.wire.trigger_rules import TriggerRule

Verdict = Literal["", "fired", "recovered"]
#: Seconds: a collection that comes so little before a rule may fire is taken as the one that finds
#: it true then, or a poll each minute would fire a rule of a minute at every other one.
NEAR = 1


def decide(
    rule: TriggerRule, state: RuleState, *, holds: bool, now: int, pushed: bool = False
) -> tuple[RuleState, Verdict]:
    """The state after data came at `now` in which the rule's expression `holds` or does not.

    `pushed`: the data stays as it is until more comes, so that a rule which holds goes on to.
    """
    if not holds:
        ended = replace(state, checked_at=now, true_since=None, alerted=False, due=None)
        if not state.alerted:
            return ended, ""
        return replace(ended, recovered_at=now), "recovered"
    since = now if state.true_since is None else state.true_since
    state = replace(state, checked_at=now, true_since=since, due=None)
    earliest = _earliest(rule, state, since=since, now=now)
    if earliest is None:
        return state, ""
    if now >= earliest:
        return replace(state, fired_at=now, alerted=True), "fired"
    waits = pushed and not state.alerted
    if waits or earliest - now <= NEAR * SECOND:
        return replace(state, due=earliest), ""
    return state, ""


def fall_due(rule: TriggerRule, state: RuleState, *, now: int) -> tuple[RuleState, Verdict]:
    """The state after the moment came for which a rule was waiting, with no news before it."""
    if state.due is None or now < state.due or state.true_since is None:
        return state, ""
    earliest = _earliest(rule, state, since=state.true_since, now=now)
    if earliest is None or now < earliest:
        return replace(state, due=earliest), ""
    # It counts from when it was due: else firings by the clock would drift by how late it is heard,
    # away from the collections, until one comes too early for it.
    fired_at = state.due if now - state.due <= NEAR * SECOND else now
    return replace(state, due=None, fired_at=fired_at, alerted=True), "fired"


def _earliest(rule: TriggerRule, state: RuleState, *, since: int, now: int) -> int | None:
    """When the rule may fire that holds since an instant and goes on to; None for never."""
    earliest = since + rule.minimum_match_time * SECOND
    if state.fired_at is not None:
        earliest = max(earliest, state.fired_at + rule.minimum_firing_interval * SECOND)
    return rule.allowed_from(max(earliest, now))
