"""Claims of actions that came to nothing, since who claimed was not told that they were stored."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import bindparam, select, update

from aggregator.store.rule_actions import PENDING, STARTED
from aggregator.store.statement import Statement
from aggregator.store.trigger_tables import rule_actions
from aggregator.store.write import Write

CLAIMED = Statement(
    select(rule_actions.c.id).where(
        rule_actions.c.ended.is_(None),
        rule_actions.c.state == STARTED,
        rule_actions.c.claimer == bindparam("by"),
    )
)
GIVE_BACK = Statement(
    update(rule_actions)
    .where(rule_actions.c.id == bindparam("of"), rule_actions.c.state == STARTED)
    .values(
        state=PENDING,
        due=bindparam("now"),
        attempts=rule_actions.c.attempts - 1,
        claimer="",
    )
)


def give_back(write: Write, *, by: str, begun: Collection[str]) -> None:
    """Have actions begun later that the process `by` has claimed but, as it alone can know, not
    `begun`."""
    for (number,) in CLAIMED.rows(write.connection, by=by):
        if number not in begun:
            write.run(GIVE_BACK, of=number, now=write.now)
