"""What a client asks of the member: read once, and remembered by the request's bytes.

Collectors send the same bytes on every tick, so that most requests are not parsed at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from email.message import Message
from functools import lru_cache

from lxml import etree

from aggregator.errors import (
    ConfigError,
    InvalidPropertyName,
    MalformedRequest,
    RequestError,
    UnknownOperation,
    UnknownQueryDialect,
)
from aggregator.member.asked import MANAGER, PRODUCER, Asked, read_asked
from aggregator.member.names import SERVICE
from aggregator.wire.dialects import (
    BY_BODY,
    FAMILIES,
    GET_DOCUMENT,
    GET_PROPERTIES,
    GET_PROPERTY,
    GT4,
    LITE,
    OASIS,
    QUERY_PROPERTIES,
    Dialect,
    Operation,
)
from aggregator.wire.envelope import (
    SOAP11,
    SOAP12,
    Addressing,
    Envelope,
    SoapVersion,
    check_understood,
    read_envelope,
)
from aggregator.wire.namespaces import XPATH_DIALECTS, clark
from aggregator.wire.parse import Element, Limits, parse
from aggregator.wire.qnames import read_qname
from aggregator.wire.xpath import check_expression

# The draft has no GetResourcePropertyDocument; the member answers it in the draft's namespace too.
_BY_BODY = {**BY_BODY, clark(GT4.rp, GET_DOCUMENT.name): (GET_DOCUMENT, GT4)}
_OFFERED = (GET_PROPERTY, GET_PROPERTIES, QUERY_PROPERTIES, GET_DOCUMENT, *PRODUCER)

NO_ADDRESSING = Addressing()
NOTHING_ASKED = Asked()
#: Requests up to this many bytes are remembered.
_REMEMBERED_BYTES = 16 * 1024
_REMEMBERED = 512
_LONGEST_EXPRESSION = 16 * 1024
_TEXT = etree.XPath("string()", smart_strings=False)


@dataclass(frozen=True, slots=True)
class Query:
    """An XPath 1.0 expression with the prefixes of its element's scope."""

    expression: str
    namespaces: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was understood as far as `error` says; without one it can be answered.

    ``names`` are the properties asked for, each once, as Clark names.
    """

    version: SoapVersion
    dialect: Dialect
    operation: Operation | None = None
    addressing: Addressing = NO_ADDRESSING
    names: tuple[str, ...] = ()
    query: Query | None = None
    asked: Asked = NOTHING_ASKED
    error: RequestError | None = None


def read_request(body: bytes, *, content_type: str, action: str, max_body: int) -> Request:
    """The meaning of a SOAP message; never raises for a wrong one.

    `content_type` and `action` are the HTTP headers (SOAPAction); they decide only how a fault is
    written where the message itself can't be read.
    """
    if len(body) <= _REMEMBERED_BYTES:
        return _remembered(body, content_type, action, max_body)
    return _read(body, content_type, action, max_body)


def refused_request(error: RequestError, *, content_type: str, action: str) -> Request:
    """A request that was refused before its body was read."""
    return Request(_guess_version(content_type), _guess_dialect(action), error=error)


def _read(body: bytes, content_type: str, action: str, max_body: int) -> Request:
    try:
        envelope = _parse_envelope(body, content_type, max_body)
    except RequestError as error:
        return refused_request(error, content_type=content_type, action=action)
    dialect = _dialect(envelope, action)
    known = _BY_BODY.get(str(envelope.body.tag))
    operation = known[0] if known else None
    request = Request(envelope.version, dialect, operation, envelope.addressing)
    try:
        check_understood(envelope)
        return _read_operation(request, envelope.body)
    except RequestError as error:
        return Request(
            envelope.version, dialect, operation, envelope.addressing, error=_light(error)
        )


_remembered = lru_cache(maxsize=_REMEMBERED)(_read)


def _light(error: RequestError) -> RequestError:
    """The error without the traceback that would keep the document alive."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _parse_envelope(body: bytes, content_type: str, max_body: int) -> Envelope:
    root = parse(body, limits=Limits(size=max_body), charset=_charset(content_type))
    return read_envelope(root)


@lru_cache(maxsize=64)
def _charset(content_type: str) -> str:
    """The charset parameter of a media type, empty where it has none."""
    header = Message()
    header["content-type"] = content_type
    charset = header.get_param("charset")
    return charset if isinstance(charset, str) else ""


def _guess_version(content_type: str) -> SoapVersion:
    return SOAP12 if content_type.lower().startswith("application/soap+xml") else SOAP11


def _guess_dialect(action: str) -> Dialect:
    return GT4 if "/2004/06/" in action else OASIS


def _dialect(envelope: Envelope, action: str) -> Dialect:
    """The dialect of the body's namespace; of two in one namespace the Action decides."""
    namespace = str(envelope.body.tag)[1:].partition("}")[0]
    for dialect in FAMILIES:
        if namespace in (dialect.sg, dialect.rp, dialect.rl, dialect.nt, dialect.r):
            lite = "#" in (envelope.addressing.action or action)
            return LITE if dialect is OASIS and lite else dialect
    return _guess_dialect(envelope.addressing.action or action)


def _read_operation(request: Request, body: Element) -> Request:
    operation = request.operation
    names: tuple[str, ...] = ()
    query: Query | None = None
    if operation is GET_PROPERTY:
        names = (_property_name(body),)
    elif operation is GET_PROPERTIES:
        names = _property_names(body)
    elif operation is QUERY_PROPERTIES:
        query = _query(body)
    elif operation in PRODUCER or operation in MANAGER:
        assert operation is not None
        return replace(request, asked=read_asked(operation, body, dialect=request.dialect))
    elif operation is not GET_DOCUMENT:
        raise not_offered(str(body.tag))
    return replace(request, names=names, query=query)


def not_offered(name: str) -> UnknownOperation:
    """The error for an operation that the service has not, by its Clark name."""
    offered = ", ".join(operation.name for operation in _OFFERED)
    return UnknownOperation(f"{SERVICE} does not offer {name[:200]}; it offers {offered}")


def _property_name(element: Element) -> str:
    try:
        return read_qname(element)
    except ConfigError as error:
        raise InvalidPropertyName(str(error)) from None


def _property_names(body: Element) -> tuple[str, ...]:
    names = [_property_name(child) for child in body.iterchildren(tag="{*}ResourceProperty")]
    if not names:
        raise MalformedRequest(f"{GET_PROPERTIES.name} names no ResourceProperty")
    # Naming a property a thousand times does not make the reply a thousand times as long.
    return tuple(dict.fromkeys(names))


def _query(body: Element) -> Query:
    element = next(body.iterchildren(tag="{*}QueryExpression"), None)
    if element is None:
        raise MalformedRequest(f"{QUERY_PROPERTIES.name} has no QueryExpression")
    dialect = element.get("Dialect") or element.get(clark(_namespace(element), "Dialect"))
    if dialect is not None and dialect.strip() not in XPATH_DIALECTS:
        raise UnknownQueryDialect(
            f"the dialect {dialect.strip()[:200]!r} is not understood; XPath 1.0 is "
            f"{XPATH_DIALECTS[0]}"
        )
    expression = str(_TEXT(element)).strip()
    scope = {prefix: uri for prefix, uri in element.nsmap.items() if prefix}
    check_expression(expression, scope, longest=_LONGEST_EXPRESSION)
    return Query(expression, tuple(sorted(scope.items())))


def _namespace(element: Element) -> str:
    return str(element.tag)[1:].partition("}")[0]
