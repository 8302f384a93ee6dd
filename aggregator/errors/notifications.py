"""The errors of WS-BaseNotification, one for each of its faults that is sent."""

from __future__ import annotations

from aggregator.errors.core import RequestError


class SubscribeFailed(RequestError):
    """Raised when a subscription can't be made."""


class TopicDialectUnknown(SubscribeFailed):
    """Raised for a topic expression of a dialect that is not spoken here."""


class InvalidTopicExpression(SubscribeFailed):
    """Raised for a topic expression that does not follow its dialect."""


class TopicNotSupported(SubscribeFailed):
    """Raised for a topic expression that selects none of the producer's topics."""


class UnknownWish(SubscribeFailed):
    """Raised for parts of a Subscribe that mean nothing here; ``unknown`` are their names."""

    def __init__(
        self, message: str, *, unknown: tuple[str, ...] = (), causes: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, causes=causes)
        self.unknown = unknown


class InvalidFilter(UnknownWish):
    """Raised for filters that mean nothing here."""


class InvalidProducerProperties(SubscribeFailed):
    """Raised for a filter by the producer's properties that is no XPath 1.0."""


class InvalidMessageContent(SubscribeFailed):
    """Raised for a filter by the message's content that is no XPath 1.0."""


class UnacceptableInitialTime(SubscribeFailed):
    """Raised when a subscription can't be given the lifetime that is asked for.

    ``minimum`` and ``maximum`` are instants, None for a maximum where there is none.
    """

    def __init__(
        self, message: str, *, minimum: int, maximum: int | None = None, **more: tuple[str, ...]
    ) -> None:
        super().__init__(message, **more)
        self.minimum = minimum
        self.maximum = maximum


class UnrecognizedPolicy(UnknownWish):
    """Raised for policies that mean nothing here."""


class UnsupportedPolicy(UnknownWish):
    """Raised for policies that mean something here and can't be kept together with the rest."""


class UnacceptableTime(UnacceptableInitialTime):
    """Raised when a subscription can't be renewed for as long as is asked for."""


class NoCurrentMessage(RequestError):
    """Raised when nothing was published on a topic yet."""


class MultipleTopics(RequestError):
    """Raised when one topic is wanted, and the expression selects several."""


class PullFailed(RequestError):
    """Raised when messages can't be given as they are asked for."""


class PullPointNotCreated(RequestError):
    """Raised when there are as many pull points as may be."""


class NotifyRefused(RequestError):
    """Raised for a notification that belongs to no subscription of ours.

    ``reason`` is one word for metrics: unknown, producer, full.
    """

    def __init__(self, message: str, *, reason: str = "unknown", **more: tuple[str, ...]) -> None:
        super().__init__(message, **more)
        self.reason = reason


class InboxFull(NotifyRefused):
    """Raised where as many notifications wait as may: these can be taken in ``retry_after``
    seconds."""

    retry_after = 5
