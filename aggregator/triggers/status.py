"""TriggerStatus: what an entry of a trigger group publishes of its rules (MDS4, trigger types)."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from aggregator.store.rule_actions import ActionTold
from aggregator.store.rule_states import RuleState
from aggregator.wire.namespaces import TRIGGER
from aggregator.wire.namespaces import TRIGGER_MORE as MORE
from aggregator.wire.times import format_datetime

#: How an action stands, in words for people.
OUTCOMES = {
    "pending": "waiting",
    "started": "running",
    "done": "done",
    "failed": "failed",
    "unknown": "outcome unknown",
}


OPENING = f'<trig:TriggerStatus xmlns:trig="{TRIGGER}">'.encode()


def trigger_status(state: RuleState, last: ActionTold | None) -> bytes:
    """The TriggerStatus of a rule, from its state and its last action.

    The elements of MDS4 come first and in its order; what it had no word for follows in a
    namespace of ours: when the alert ended, how the last action stands, why a rule could not be
    evaluated.
    """
    parts = "".join((*_of_mds4(state, last), *_of_ours(state, last)))
    return OPENING + parts.encode() + b"</trig:TriggerStatus>"


def _of_mds4(state: RuleState, last: ActionTold | None) -> Iterator[str]:
    for name, instant in (
        ("conditionTrueSince", state.true_since),
        ("actionFiredAt", state.fired_at),
        ("ruleLastCheckedAt", state.checked_at),
    ):
        if instant is not None:
            yield f"<trig:{name}>{format_datetime(instant)}</trig:{name}>"
    if last is not None and last.output:
        yield f"<trig:actionOutput>{last.output.decode()}</trig:actionOutput>"


def _of_ours(state: RuleState, last: ActionTold | None) -> Iterator[str]:
    if state.recovered_at is not None and not state.alerted:
        yield f'<recoveredAt xmlns="{MORE}">{format_datetime(state.recovered_at)}</recoveredAt>'
    if last is not None:
        yield (
            f'<action xmlns="{MORE}" of="{last.kind}" attempts="{last.attempts}"'
            f' outcome="{OUTCOMES[last.state]}">{escape(last.message)}</action>'
        )
    if state.trouble:
        yield f'<notEvaluated xmlns="{MORE}">{escape(state.trouble)}</notEvaluated>'
