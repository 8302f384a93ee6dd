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
 +- StoreUnavailable         the store did not answer in time; try again
 +- EventError               an event was not made, published, read or scheduled
 |   +- EventNotReady        no msg_type, event_id, origin, handler... (AssertionError too)
 |   +- EventValueUnknown    a name or number that an enum does not have (AssertionError too)
 |   +- EventFieldsUnknown   fields that neither the event nor its additional message has
 |   +- EventUnwritable      an event that can't be sent: too large, too deep, no text of XML
 |   +- EventUnreadable      what arrived is no event that is read here
 |   +- BrokerUnavailable    the broker did not answer in time; try again
 |   +- BrokerRefused        the broker answered, and does not do it
 |   +- SubscriptionRefused  the event monitor has as many subscriptions as it takes
 |   +- TaskRefused          a task that the scheduler does not take
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


class BrokerRefused(EventError):
    """Raised when the broker does not do what was asked for; trying again would not help."""


class SubscriptionRefused(EventError):
    """Raised when the event monitor has as many subscriptions as it takes."""


class TaskRefused(EventError):
    """Raised for a task that the scheduler does not take; ``code`` is ``BAD_REQUEST``."""

    code = "BAD_REQUEST"


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
