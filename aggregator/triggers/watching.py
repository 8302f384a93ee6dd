"""Rules held against what was collected: what each then does, and what its entry shows of it.

Evaluating comes first, with no transaction open; what is decided by it is written in the
transaction of the delivery. Expressions are strangers' and are evaluated in a process of their own:
one that takes too long is left out for a while, longer each time, so that it costs others little.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from aggregator.errors import QueryFailed, StoreUnavailable
from aggregator.notify.filters import Filters
from aggregator.store.action_counts import count_fired
from aggregator.store.bus_places import note_alert
from aggregator.store.rule_actions import (
    PENDING,
    ActionTold,
    WantedAction,
    latest_actions,
    want_action,
)
from aggregator.store.rule_states import (
    RuleState,
    WaitingRule,
    change_trouble,
    load_states,
    save_state,
)
from aggregator.store.triggers import trigger_version
from aggregator.store.write import Write
from aggregator.triggers import metrics
from aggregator.triggers.action_input import Alert, action_input
from aggregator.triggers.decision import decide
from aggregator.triggers.penalties import Penalties
from aggregator.triggers.status import trigger_status
from aggregator.triggers.watched import Found, Seen, Watched
from aggregator.wire.subscribing import Condition
from aggregator.wire.trigger_rules import TriggerRule

logger = logging.getLogger(__name__)

Ask = Callable[[Callable[[Any], Any]], Awaitable[Any]]

#: Characters of an expression that the bus is told.
_MOST_TOLD = 1000
#: Characters of a result that an action is told.
_MOST_RESULT = 256 * 1024
#: Seconds that the rules of one delivery to the sink may take together.
_BUDGET = 5.0


class Watching:
    """Holds rules against data. `form` is that of what actions read, `tells_end` whether an
    action is told of the end of an alert too."""

    def __init__(
        self,
        *,
        ask: Ask,
        clock: Callable[[], int],
        form: str = "actionInput",
        tells_end: Callable[[str], bool] = lambda script: True,
    ) -> None:
        self.ask = ask
        self._clock = clock
        self._form = form
        self._tells_end = tells_end
        self._filters = Filters()
        #: Called when an action is wanted, which is committed a little later.
        self.on_fired: Callable[[], None] = lambda: None
        self._penalties = Penalties()

    def close(self) -> None:
        """End the process that evaluates. Safe twice."""
        self._filters.close()

    def now(self) -> int:
        """The present instant by the store's clock."""
        return self._clock()

    async def look(self, watched: Sequence[Watched]) -> list[Seen]:
        """What becomes of rules now that their data came, in the same order."""
        keys = [one.key for one in watched]
        states = await self.ask(lambda connection: load_states(connection, keys))
        budget = time.monotonic() + _BUDGET
        # Who was never evaluated may be slow.
        quick = {key for key, state in states.items() if state.checked_at is not None}
        rules = [(one.key, one.entry_id) for one in watched]
        seen: dict[int, Seen] = {}
        is_spoilt = False
        for place in self._penalties.order(rules, quick=quick):
            one = watched[place]
            was_out = self._penalties.is_out(one.key)
            # One that takes too long is enough: others that may do the same come with more data.
            in_time = time.monotonic() < budget and not (is_spoilt and one.key not in quick)
            found = await self._look_at(one, in_time=in_time)
            is_spoilt = is_spoilt or (not was_out and self._penalties.is_out(one.key))
            seen[place] = self._seen(one, found, states.get(one.key, RuleState()))
        return [seen[place] for place in range(len(watched))]

    async def statuses(self, seen: Sequence[Seen]) -> list[bytes]:
        """The TriggerStatus of each rule, as it is once `write` has written."""
        last = await self.ask(
            lambda connection: latest_actions(connection, [one.watched.key for one in seen])
        )
        return [
            trigger_status(one.state, self._last(one, last.get(one.watched.key))) for one in seen
        ]

    def _last(self, seen: Seen, last: ActionTold | None) -> ActionTold | None:
        """The last action of a rule, which is the one that is wanted now where one is."""
        if not self._is_told(seen):
            return last
        output = b"" if last is None else last.output
        key, at = seen.watched.key, seen.state.checked_at or 0
        return ActionTold(key, seen.verdict, at, PENDING, 0, output, "")

    def _is_told(self, seen: Seen) -> bool:
        ends = seen.verdict == "recovered"
        return bool(seen.verdict) and (not ends or self._tells_end(seen.watched.rule.action_script))

    async def _look_at(self, one: Watched, *, in_time: bool) -> Found:
        now = self._clock()
        if self._penalties.is_out(one.key):
            return Found(now)
        if not in_time:
            late = "other rules took too long; it is evaluated when data comes again"
            return Found(now, trouble=late)
        condition = Condition(one.rule.matching_rule, dict(one.rule.namespaces))
        try:
            holds, result = await self._filters.selected(condition, one.document, most=_MOST_RESULT)
        except QueryFailed as error:
            return Found(now, trouble=self._trouble(one, error))
        except StoreUnavailable as error:
            return Found(now, trouble=str(error))
        return Found(now, holds, result, "")

    def _seen(self, one: Watched, found: Found, before: RuleState) -> Seen:
        state = before if found.trouble is None else replace(before, trouble=found.trouble)
        if found.holds is None:
            return Seen(one, found, before, state)
        state, verdict = decide(one.rule, state, holds=found.holds, now=found.at, pushed=one.pushed)
        told = b""
        if verdict or state.due is not None:
            since = before.true_since
            told = self._told(one, state, verdict or "fired", found.result, since=since)
        return Seen(one, found, before, state, verdict, told)

    def _trouble(self, one: Watched, error: QueryFailed) -> str:
        told = str(error).replace("the filter", "the matchingRule")
        if error.limit:
            told += f"; it is left out for {self._penalties.add(one.key):g} s"
        return told

    def _told(
        self, one: Watched, state: RuleState, kind: str, result: str | None, *, since: int | None
    ) -> bytes:
        alert = Alert(
            kind=kind,
            rule=one.name,
            trigger=one.trigger,
            group=one.group,
            entry=one.entry,
            member=one.member,
            expression=one.rule.matching_rule,
            since=state.true_since if kind == "fired" else since,
            at=state.due or state.checked_at or self._clock(),
            epr=one.epr,
            config=one.config,
            data=one.data if one.rule.full_input else None,
            result=result if one.rule.result_input else None,
        )
        return action_input(alert, form=self._form)

    def write(self, write: Write, seen: Sequence[Seen]) -> None:
        """Store what was seen, with the actions that it asks for: all of it or nothing."""
        seen = [one for one in seen if self._is_current(write, one.watched)]
        known = load_states(write.connection, [one.watched.key for one in seen])
        for given in seen:
            of, before = given.watched, known.get(given.watched.key, RuleState())
            # It may have fired by the clock meanwhile.
            one = given if before == given.before else self._seen(of, given.found, before)
            if one.found.holds is None and before.checked_at is not None:
                change_trouble(write, of.key, one.state)
                continue
            waiting = json.dumps(of.rule.dumps()) if one.state.due is not None else ""
            save_state(write, of.key, of.entry_id, one.state, waiting=waiting, told=one.told)
            if one.verdict:
                metrics.FIRED.labels(one.verdict).inc()
                self.on_fired()
                self.want(write, one)

    def _is_current(self, write: Write, one: Watched) -> bool:
        """Whether a rule is still as it was held against the data; so it stays until the commit."""
        return not one.trigger or trigger_version(write.connection, one.trigger) == one.version

    def want(self, write: Write, seen: Seen) -> None:
        """Store that the action of a rule is to be run, and count it where the rule fired."""
        one, state = seen.watched, seen.state
        at = state.fired_at if seen.verdict == "fired" else state.recovered_at
        wanted = WantedAction(
            rule=one.key,
            group_id=one.group_id,
            entry_id=one.entry_id,
            slot=one.slot,
            script=one.rule.action_script,
            kind=seen.verdict,
            at=at or write.now,
            told=seen.told,
        )
        facts = {"member": one.member, **_facts(one.name, one.trigger, one.rule)}
        note_alert(write, seen.verdict, one.group_id, one.entry, facts)
        if seen.verdict == "fired":
            _fired(write, wanted)
        elif self._is_told(seen):
            want_action(write, wanted)

    def want_due(
        self, write: Write, waiting: WaitingRule, rule: TriggerRule, state: RuleState
    ) -> None:
        """Store that the action of a rule is to be run whose moment came."""
        wanted = WantedAction(
            rule=waiting.rule,
            group_id=waiting.group_id,
            entry_id=waiting.entry_id,
            slot=waiting.slot,
            script=rule.action_script,
            kind="fired",
            at=state.fired_at or write.now,
            told=waiting.told,
        )
        metrics.FIRED.labels("fired").inc()
        entry, _, place = waiting.rule.rpartition("/")
        facts = _facts(place, "" if entry else waiting.rule, rule)
        note_alert(write, "fired", waiting.group_id, entry, facts)
        _fired(write, wanted)


def _facts(name: str, trigger: str, rule: TriggerRule) -> dict[str, object]:
    """What the bus is told of a rule."""
    told = {"rule": name, "trigger": trigger or None, "action": rule.action_script}
    return {**told, "matching_rule": rule.matching_rule[:_MOST_TOLD]}


def _fired(write: Write, wanted: WantedAction) -> None:
    count_fired(write, wanted.group_id, 1)
    if not want_action(write, wanted):
        metrics.LEFT_OUT.inc()
        logger.warning("too many actions of the rule %s wait; one is left out", wanted.rule)
