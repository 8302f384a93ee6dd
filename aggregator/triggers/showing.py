"""What an entry shows of its rules, written anew when an action has ended."""

from __future__ import annotations

from aggregator.store.publishing import publish, published
from aggregator.store.rule_actions import latest_actions
from aggregator.store.rule_states import states_of_entry
from aggregator.store.write import Write
from aggregator.triggers.status import OPENING, trigger_status


def show_again(write: Write, *, entry_id: int) -> None:
    """Publish the status of an entry's rules as it is now, where that is what the entry shows.

    Rules of triggers, and those of a group whose first sink publishes something else, are shown
    elsewhere.
    """
    shown = published(write.connection, entry_id)
    if not shown or not shown[0].startswith(OPENING):
        return
    states = {rule: state for rule, state in states_of_entry(write.connection, entry_id).items()}
    own = sorted((rule for rule in states if "/" in rule), key=_place)
    if len(own) != len(shown):
        # A member's own data, which looks alike.
        return
    last = latest_actions(write.connection, own)
    publish(write, entry_id, tuple(trigger_status(states[rule], last.get(rule)) for rule in own))


def _place(rule: str) -> int:
    return int(rule.rpartition("/")[2])
