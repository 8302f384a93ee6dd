"""The member's subscription manager: what is done with a subscription that there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aggregator.errors import TerminationTimeRejected
from aggregator.member.asked import Asked
from aggregator.member.subscriptions import Subscription, Subscriptions
from aggregator.notify.described import (
    subscription_health,
    subscription_properties,
    write_properties,
)
from aggregator.notify.granting import asked_until, granted_until
from aggregator.wire.dialects import (
    DESTROY,
    PAUSE,
    RENEW,
    SET_TERMINATION_TIME,
    UNSUBSCRIBE,
    Dialect,
    Operation,
)
from aggregator.wire.subscription_replies import (
    empty_response,
    renew_response,
    termination_response,
)


class SubscriptionManager:
    """Renews, pauses, resumes and ends subscriptions, and tells their properties."""

    def __init__(self, subscriptions: Subscriptions, *, now: Callable[[], int]) -> None:
        self._subscriptions = subscriptions
        self._now = now

    def answer(self, operation: Operation, asked: Asked, *, key: str, dialect: Dialect) -> bytes:
        """The response element; raises RequestError."""
        subscription = self._subscriptions.get(key)
        if operation in (RENEW, SET_TERMINATION_TIME):
            return self._renew(operation, asked, subscription, dialect)
        if operation in (UNSUBSCRIBE, DESTROY):
            self._subscriptions.end(subscription)
        else:
            # The draft and the final version leave open whether what comes meanwhile is kept
            # (section 6.2.1); it is not.
            subscription.paused = operation is PAUSE
        return empty_response(operation, dialect=dialect)

    def read(
        self, operation: Operation, names: Sequence[str], *, key: str, dialect: Dialect
    ) -> bytes:
        """The response to a read of properties; raises RequestError."""
        found = self._subscriptions.get(key)
        known = subscription_properties(
            found.request,
            created=found.created,
            termination=found.termination,
            health=subscription_health(
                "paused" if found.paused else "active",
                failures=found.failures,
                dropped=found.dropped,
            ),
            now=self._now(),
            dialect=dialect,
        )
        return write_properties(operation, names, known, dialect=dialect)

    def _renew(
        self, operation: Operation, asked: Asked, subscription: Subscription, dialect: Dialect
    ) -> bytes:
        now = self._now()
        if operation is RENEW:
            until = granted_until(asked.until, now=now, longest=0, renewing=True)
            subscription.termination = until
            return renew_response(dialect=dialect, now=now, termination=until)
        try:
            until = asked_until(asked.until, now=now, longest=0)
        except ValueError as error:
            raise TerminationTimeRejected(str(error)) from error
        subscription.termination = until
        if until is not None and until <= now:
            self._subscriptions.end(subscription)
        return termination_response(dialect=dialect, now=now, termination=until)
