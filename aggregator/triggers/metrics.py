"""What triggers measure of themselves, for /metrics."""

from __future__ import annotations

from prometheus_client import Counter

FIRED = Counter(
    "aggregator_triggers_fired",
    "Firings of rules, and ends of alerts, by which of the two it is.",
    ("kind",),
)
ACTIONS = Counter(
    "aggregator_trigger_actions",
    "Runs of actions, by how they ended: done, again (tried later), failed, unknown (cut off).",
    ("outcome",),
)
LEFT_OUT = Counter(
    "aggregator_trigger_actions_left_out",
    "Firings whose action was left out, since too many of the same rule waited.",
)
