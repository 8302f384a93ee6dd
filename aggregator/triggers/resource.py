"""A trigger as a WS-Resource: its properties, as GT 4.2 names them, and what setting them does.

The properties that are known of TriggerService (GT 4.2, public interfaces of the trigger service)
are in the namespace of MDS4's trigger types; how the last action stands is in one of ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from aggregator.errors import ConfigError, InvalidModification
from aggregator.store.rule_actions import ActionTold
from aggregator.store.rule_states import RuleState
from aggregator.store.triggers import StoredTrigger
from aggregator.triggers.status import OUTCOMES
from aggregator.wire.namespaces import TRIGGER
from aggregator.wire.namespaces import TRIGGER_MORE as MORE
from aggregator.wire.text import xml_text
from aggregator.wire.times import format_datetime
from aggregator.wire.trigger_rules import (
    TriggerRule,
    check_rule,
    read_instant,
    read_namespaces,
    read_seconds,
    read_truth,
)

#: What a new trigger is (GT 4.2): it fires while there is no Entry, and is disabled.
DEFAULT_RULE = TriggerRule(
    matching_rule="count(//*[local-name()='Entry'])<1",
    action_script="trigger-action-default",
    minimum_firing_interval=20,
    minimum_match_time=30,
    boolean=True,
    full_input=True,
    result_input=True,
)
_STATUS = {"enabled": True, "disabled": False}
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger as it can be changed: its name, whether it is enabled, its rule."""

    name: str
    enabled: bool
    rule: TriggerRule


def opened(stored: StoredTrigger) -> Trigger:
    """The trigger of a row."""
    return Trigger(stored.name, stored.enabled, TriggerRule.loads(json.loads(stored.rule)))


def written(stored: StoredTrigger, trigger: Trigger) -> StoredTrigger:
    """The row with what was changed."""
    rule = json.dumps(trigger.rule.dumps())
    return replace(stored, name=trigger.name, enabled=trigger.enabled, rule=rule)


def state_after(state: RuleState, before: Trigger, after: Trigger) -> RuleState:
    """What is still known of a rule when the trigger was changed: when it fired, in any case.

    Another expression, and a trigger that is enabled again, begin anew.
    """
    same = (before.rule.matching_rule, before.rule.namespaces, before.enabled) == (
        after.rule.matching_rule,
        after.rule.namespaces,
        after.enabled,
    )
    if same and after.enabled:
        return replace(state, due=None)
    return replace(state, true_since=None, alerted=False, due=None, trouble="")


Texts = Sequence[str]


@dataclass(frozen=True, slots=True)
class Writable:
    """A property that can be set: how its values are shown, and how a trigger takes others.

    `many`: it may be there more than once; `required`: it can't be deleted.
    """

    show: Callable[[Trigger], Texts]
    take: Callable[[Trigger, Texts], Trigger]
    many: bool = False
    required: bool = False


def _instant(value: int | None) -> Texts:
    return () if value is None else (format_datetime(value),)


def _rule(**changes: Any) -> Callable[[Trigger], Trigger]:
    return lambda trigger: replace(trigger, rule=replace(trigger.rule, **changes))


def _of_rule(
    field: str, read: Callable[[str], object], show: Callable[[Any], Texts], absent: object
) -> tuple[Callable[[Trigger], Texts], Callable[[Trigger, Texts], Trigger]]:
    def take(trigger: Trigger, texts: Texts) -> Trigger:
        value = read(texts[0]) if texts else absent
        return _rule(**{field: value})(trigger)

    return lambda trigger: show(getattr(trigger.rule, field)), take


def _truth_of(field: str, name: str) -> Writable:
    def read(text: str) -> bool:
        return read_truth(text, element=name)

    return Writable(
        *_of_rule(field, read, lambda value: ("true" if value else "false",), None), required=True
    )


def _seconds_of(field: str, name: str) -> Writable:
    def read(text: str) -> int:
        return read_seconds(text, element=name)

    return Writable(*_of_rule(field, read, lambda value: (str(value),) if value else (), 0))


def _instant_of(field: str, name: str) -> Writable:
    return Writable(*_of_rule(field, lambda text: read_instant(text, element=name), _instant, None))


def _text_of(field: str) -> Writable:
    return Writable(*_of_rule(field, str, lambda value: (value,), None), required=True)


def _namespaces() -> Writable:
    def show(trigger: Trigger) -> Texts:
        return [f"xmlns:{prefix}={uri}" for prefix, uri in trigger.rule.namespaces]

    def take(trigger: Trigger, texts: Texts) -> Trigger:
        return _rule(namespaces=read_namespaces(texts))(trigger)

    return Writable(show, take, many=True)


def _name() -> Writable:
    def take(trigger: Trigger, texts: Texts) -> Trigger:
        name = texts[0] if texts else ""
        if len(name) > _LONGEST_NAME:
            told = f"it has {len(name)} characters; at most {_LONGEST_NAME} are taken"
            raise ConfigError(told, element="TriggerName")
        return replace(trigger, name=name)

    return Writable(lambda trigger: (trigger.name,), take)


def _status() -> Writable:
    def take(trigger: Trigger, texts: Texts) -> Trigger:
        if texts[0] not in _STATUS:
            told = f"{texts[0][:40]!r} is neither enabled nor disabled"
            raise ConfigError(told, element="TriggerStatus")
        return replace(trigger, enabled=_STATUS[texts[0]])

    return Writable(
        lambda trigger: ("enabled" if trigger.enabled else "disabled",), take, required=True
    )


def _invalid(place: int, name: str) -> Writable:
    def show(trigger: Trigger) -> Texts:
        found = trigger.rule.invalid[:1]
        return [format_datetime(one[place]) for one in found if one[place] != _MISSING[place]]

    def take(trigger: Trigger, texts: Texts) -> Trigger:
        pair = list(trigger.rule.invalid[0]) if trigger.rule.invalid else list(_MISSING)
        pair[place] = read_instant(texts[0], element=name) if texts else _MISSING[place]
        kept = () if tuple(pair) == _MISSING else ((pair[0], pair[1]),)
        return _rule(invalid=kept)(trigger)

    return Writable(show, take)


#: Stand for an end of a range that is not given, until both are.
_MISSING = (-(2**62), 2**62)

WRITABLE: Mapping[str, Writable] = {
    "TriggerName": _name(),
    "TriggerStatus": _status(),
    "MatchingRule": _text_of("matching_rule"),
    "NamespaceMappings": _namespaces(),
    "ActionScript": _text_of("action_script"),
    "EnableBoolean": _truth_of("boolean", "EnableBoolean"),
    "MinimumFiringInterval": _seconds_of("minimum_firing_interval", "MinimumFiringInterval"),
    "MinimumMatchTime": _seconds_of("minimum_match_time", "MinimumMatchTime"),
    "StartTime": _instant_of("start", "StartTime"),
    "EndTime": _instant_of("end", "EndTime"),
    "InvalidityStartTime": _invalid(0, "InvalidityStartTime"),
    "InvalidityEndTime": _invalid(1, "InvalidityEndTime"),
    "ActionScriptInputFullOriginal": _truth_of("full_input", "ActionScriptInputFullOriginal"),
    "ActionScriptInputXPathQueryResult": _truth_of(
        "result_input", "ActionScriptInputXPathQueryResult"
    ),
}
READ_ONLY = (
    "MemberEPR",
    "TriggerID",
    "RuleLastCheckedAt",
    "ConditionTrueSince",
    "ActionFiredAt",
    "recoveredAt",
    "action",
    "notEvaluated",
)


def changed(trigger: Trigger, name: str, texts: Texts, *, adds: bool = False) -> Trigger:
    """A trigger whose property has other values, or, `adds`, more of them; none deletes it.

    Raises InvalidModification where that can't be.
    """
    known = WRITABLE[name]
    before = known.show(trigger)
    if adds and before and not known.many:
        raise InvalidModification(f"{name} is there already; update it instead")
    values = [*before, *texts] if adds else list(texts)
    if not values and known.required:
        raise InvalidModification(f"{name} can't be deleted; a trigger needs one")
    if len(values) > 1 and not known.many:
        raise InvalidModification(f"{name} is given {len(values)} times; a trigger has one")
    try:
        return known.take(trigger, values)
    except ConfigError as error:
        raise InvalidModification(str(error)) from error


def check(trigger: Trigger) -> None:
    """Raise InvalidModification where a trigger can't work as a whole."""
    try:
        check_rule(trigger.rule)
    except ConfigError as error:
        names = {"matchingRule": "MatchingRule", "namespaceMappings": "NamespaceMappings"}
        element = names.get(error.element, error.element)
        message = error.message.replace("namespaceMappings", "NamespaceMappings")
        raise InvalidModification(f"{element}: {message}") from error
    for one in trigger.rule.invalid:
        if one[0] == _MISSING[0] or one[1] == _MISSING[1]:
            raise InvalidModification(
                "InvalidityStartTime and InvalidityEndTime are both there or neither"
            )


def trigger_properties(
    stored: StoredTrigger, state: RuleState, last: ActionTold | None, *, member: bytes
) -> dict[str, bytes]:
    """The elements of each property by its local name; `member` is the MemberEPR element."""
    trigger = opened(stored)
    found = {
        name: b"".join(_element(name, text) for text in known.show(trigger))
        for name, known in WRITABLE.items()
    }
    found["MemberEPR"] = member
    found["TriggerID"] = _element("TriggerID", stored.id)
    for name, instant in (
        ("RuleLastCheckedAt", state.checked_at),
        ("ConditionTrueSince", state.true_since),
        ("ActionFiredAt", state.fired_at),
    ):
        found[name] = b"".join(_element(name, text) for text in _instant(instant))
    recovered = None if state.alerted else state.recovered_at
    found["recoveredAt"] = b"".join(_more("recoveredAt", text) for text in _instant(recovered))
    found["action"] = b"" if last is None else _action(last)
    found["notEvaluated"] = _more("notEvaluated", state.trouble) if state.trouble else b""
    return found


def _element(name: str, text: str) -> bytes:
    return f'<trig:{name} xmlns:trig="{TRIGGER}">{xml_text(text)}</trig:{name}>'.encode()


def _more(name: str, text: str) -> bytes:
    return f'<{name} xmlns="{MORE}">{xml_text(text)}</{name}>'.encode()


def _action(last: ActionTold) -> bytes:
    head = (
        f'<m:action xmlns:m="{MORE}" of="{last.kind}" attempts="{last.attempts}"'
        f' outcome="{OUTCOMES[last.state]}">{xml_text(last.message)}'
    ).encode()
    output = b"<m:output>%s</m:output>" % last.output if last.output else b""
    return head + output + b"</m:action>"
