"""Every error of ours, in one tree.

AggregatorException
 +- ConfigError              a registration or setting can't work: the Add is refused
 +- CollectError             one collection failed: this tick only, the entry keeps its old data
 +- DeliverError             one sink could not take a delivery: the other sinks go on
 +- RequestError             a client's request is wrong; answered with a fault, nothing changed
 |   +- MalformedRequest     not XML, DOCTYPE, too deep, no envelope
 |   |   +- RequestTooLarge  over the limit of bytes or nodes
 |   +- VersionMismatch      an envelope of no SOAP version that is spoken here
 |   +- NotUnderstood        a mustUnderstand header that nobody here understands
 |   +- UnknownOperation     a body element that names no operation of the service
 |   +- ResourceUnknown      a missing, unknown or expired resource key
 |   +- InvalidPropertyName  a resource property that the resource does not have
 |   +- InvalidQuery         an expression that is no XPath 1.0
 |   +- UnknownQueryDialect  a query language other than XPath 1.0
 |   +- QueryFailed          an expression that could not be evaluated within the limits
 |   +- AddRefused           the group does not take the member
 |   |   +- ContentRefused   the Content does not follow the membership rules
 |   |   +- MemberInterfaceUnsupported
 |   +- TerminationTimeRejected  the requested lifetime can't be granted
 |   +- SubscribeFailed      a subscription that can't be made
 |   |   +- TopicDialectUnknown, InvalidTopicExpression, TopicNotSupported
 |   |   +- InvalidFilter, InvalidProducerProperties, InvalidMessageContent
 |   |   +- UnacceptableInitialTime
 |   |   +- UnrecognizedPolicy, UnsupportedPolicy, NotifyNotSupported
 |   +- UnacceptableTime     the lifetime that a Renew asks for can't be granted
 |   +- NoCurrentMessage     nothing was published on the topic yet
 |   +- MultipleTopics       one topic is wanted, and several are named
 |   +- UnsubscribeFailed, PauseFailed, ResumeFailed
 |   +- PullFailed, PullPointNotCreated, PullPointNotDestroyed
 |   +- NotifyRefused        a notification that belongs to no subscription of ours
 +- StoreUnavailable         the store did not answer in time; try again
 +- RemoteError              a service that we called did not answer as it should
     +- RemoteFault          it answered with a SOAP fault

SOAP fault names and HTTP statuses are chosen in ``aggregator.wire.faults`` only.
"""

from __future__ import annotations


class AggregatorException(Exception):
    """Base of all errors that the project raises on purpose."""


class ConfigError(AggregatorException):
    """Raised when a registration or a setting can't work; refuses the Add.

    ``element`` names the element or setting at fault, empty where there is none.
    """

    def __init__(self, message: str, *, element: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.element = element

    def __str__(self) -> str:
        return f"{self.element}: {self.message}" if self.element else self.message


class CollectError(AggregatorException):
    """Raised when one collection failed; the entry keeps its data and shows an AggregatorError.

    ``code`` is one stable word for programs (``timeout``, ``connection``, ``fault``...);
    ``message`` goes to clients and therefore holds neither paths nor standard error output.
    ``detail`` goes to the log alone.
    """

    def __init__(self, message: str, *, code: str = "failed", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.detail = detail


class DeliverError(AggregatorException):
    """Raised by a sink that could not take a delivery."""


class RequestError(AggregatorException):
    """Raised when a client's request is wrong; ``causes`` are told as the fault's causes."""

    def __init__(self, message: str, *, causes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.causes = causes


class MalformedRequest(RequestError):
    """Raised when a request is no well-formed, plain SOAP message."""


class RequestTooLarge(MalformedRequest):
    """Raised when a request is over the limit of bytes or nodes."""


class VersionMismatch(RequestError):
    """Raised when the envelope is of no SOAP version that is spoken here."""


class NotUnderstood(RequestError):
    """Raised for mustUnderstand headers that nobody here understands.

    ``headers`` are their Clark names.
    """

    def __init__(self, message: str, *, headers: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.headers = headers


class UnknownOperation(RequestError):
    """Raised when the body names no operation of the addressed service."""


class ResourceUnknown(RequestError):
    """Raised for a missing, unknown or expired resource key."""


class InvalidPropertyName(RequestError):
    """Raised for a resource property that the resource does not have."""


class InvalidQuery(RequestError):
    """Raised for an expression that is no XPath 1.0."""


class UnknownQueryDialect(RequestError):
    """Raised for a query language other than XPath 1.0."""


class QueryFailed(RequestError):
    """Raised when an expression could not be evaluated within the limits.

    ``limit`` names the limit in a word, for metrics: time, turn, waiting, long, memory, result;
    empty where it was something else.
    """

    def __init__(self, message: str, *, limit: str = "", causes: tuple[str, ...] = ()) -> None:
        super().__init__(message, causes=causes)
        self.limit = limit


class AddRefused(RequestError):
    """Raised when the group does not take the member."""


class ContentRefused(AddRefused):
    """Raised when the Content does not follow the group's membership rules."""


class MemberInterfaceUnsupported(AddRefused):
    """Raised when the member lacks an interface that the membership rules demand."""


class TerminationTimeRejected(RequestError):
    """Raised when the requested lifetime can't be granted."""


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


class UnsupportedPolicy(UnrecognizedPolicy):
    """Raised for policies that are understood and can't be followed."""


class NotifyNotSupported(SubscribeFailed):
    """Raised when a subscriber wants no Notify element and the producer writes no other."""


class UnacceptableTime(UnacceptableInitialTime):
    """Raised when a subscription can't be renewed for as long as is asked for."""


class NoCurrentMessage(RequestError):
    """Raised when nothing was published on a topic yet."""


class MultipleTopics(RequestError):
    """Raised when one topic is wanted, and the expression selects several."""


class UnsubscribeFailed(RequestError):
    """Raised when a subscription can't be ended."""


class PauseFailed(RequestError):
    """Raised when a subscription can't be paused."""


class ResumeFailed(RequestError):
    """Raised when a subscription can't be resumed."""


class PullFailed(RequestError):
    """Raised when messages can't be taken from a pull point."""


class PullPointNotCreated(RequestError):
    """Raised when no pull point can be made."""


class PullPointNotDestroyed(RequestError):
    """Raised when a pull point can't be destroyed."""


class NotifyRefused(RequestError):
    """Raised for a notification that belongs to no subscription of ours.

    ``reason`` is one word for metrics: unknown, stale, producer, large, full.
    """

    def __init__(self, message: str, *, reason: str = "unknown", **more: tuple[str, ...]) -> None:
        super().__init__(message, **more)
        self.reason = reason


class StoreUnavailable(AggregatorException):
    """Raised when the store did not answer in time; ``retry_after`` is in seconds.

    ``message`` is for clients, ``detail`` for the log alone: what a driver says names hosts, users
    and paths.
    """

    def __init__(self, message: str, *, detail: str = "", retry_after: int = 5) -> None:
        super().__init__(f"{message}: {detail}" if detail else message)
        self.message = message
        self.detail = detail
        self.retry_after = retry_after


class RemoteError(AggregatorException):
    """Raised when a service that we called did not answer as it should."""


class RemoteFault(RemoteError):
    """Raised when a service that we called answered with a SOAP fault.

    ``code`` is the SOAP fault code, ``detail`` the Clark name of the first detail element.
    """

    def __init__(self, message: str, *, code: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.detail = detail
