"""The errors of the registry, of its plug-ins, its store and of services that are called."""

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


class InvalidModification(RequestError):
    """Raised when properties can't be set as they are asked for; nothing was changed."""


class NotModifiable(RequestError):
    """Raised when a property is to be set that can only be read; nothing was changed."""


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
