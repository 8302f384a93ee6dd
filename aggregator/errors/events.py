"""The errors of the event system."""

from __future__ import annotations

from aggregator.errors.core import AggregatorException


class EventError(AggregatorException):
    """Base of the errors of events: making, publishing, reading and scheduling them."""


class EventNotReady(EventError, AssertionError):
    """Raised when something lacks what it needs for this: an id, a type, an origin, a handler.

    It is an AssertionError too, which is what callers of the original system were given.
    """


class EventValueUnknown(EventError, AssertionError, ValueError):
    """Raised for a name or number that the enum of a field does not have."""


class EventFieldsUnknown(EventError):
    """Raised for values of fields that neither the event nor its additional message has."""


class EventUnwritable(EventError):
    """Raised for an event that can't be sent: too large, nested too deep, or no text of XML."""


class EventUnreadable(EventError):
    """Raised when what arrived is no event that is read here."""


class BrokerUnavailable(EventError):
    """Raised when the broker did not answer in time; what was asked for may be tried again."""


class BrokerUnreachable(BrokerUnavailable):
    """Raised when there is no way to the broker at all, whatever is asked for."""


class BrokerRefused(EventError):
    """Raised when the broker does not do what was asked for; trying again would not help."""


class SubscriptionRefused(EventError):
    """Raised when the event monitor has as many subscriptions as it takes."""


class TaskRefused(EventError):
    """Raised for a task that the scheduler does not take; ``code`` is ``BAD_REQUEST``."""

    code = "BAD_REQUEST"
