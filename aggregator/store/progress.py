"""How far subscriptions have come, and how their consumers do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import BigInteger, bindparam, case, update

from aggregator.store.statement import Statement
from aggregator.store.subscription_tables import subscription_state
from aggregator.store.write import Write

_sent_to = bindparam("sent_to", type_=BigInteger())
SENT = Statement(
    update(subscription_state)
    .where(subscription_state.c.subscription_id == bindparam("of"))
    .values(
        # Never back: changes may have been passed over since it was seen.
        sent=case(
            (_sent_to > subscription_state.c.sent, _sent_to), else_=subscription_state.c.sent
        ),
        suspended=bindparam("is_suspended"),
        failures=bindparam("failed"),
        error=bindparam("said"),
        error_since=bindparam("since"),
        dropped=subscription_state.c.dropped + bindparam("more_dropped"),
    )
)


class Progress(NamedTuple):
    """How far a subscription has come, and how its consumer does; ``dropped`` are those that were
    left out since the last note."""

    id: int
    sent: int
    suspended: bool = False
    failures: int = 0
    error: str = ""
    error_since: int | None = None
    dropped: int = 0


def note_progress(write: Write, all_of_them: Sequence[Progress]) -> None:
    """Note how far subscriptions have come."""
    write.run_many(
        SENT,
        [
            {
                "of": one.id,
                "sent_to": one.sent,
                "is_suspended": int(one.suspended),
                "failed": one.failures,
                "said": one.error,
                "since": one.error_since,
                "more_dropped": one.dropped,
            }
            for one in all_of_them
        ],
    )
