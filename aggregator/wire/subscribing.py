"""What a Subscribe asks for, read from both versions of WS-BaseNotification and written in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from aggregator.errors import (
    ConfigError,
    InvalidFilter,
    InvalidMessageContent,
    InvalidProducerProperties,
    InvalidQuery,
    RequestError,
    SubscribeFailed,
    UnrecognizedPolicy,
)
from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import FAMILIES, Dialect
from aggregator.wire.epr import EndpointReference, read_epr, write_epr
from aggregator.wire.parse import Element, serialise, text_of
from aggregator.wire.topics import TopicExpression, in_dialect, read_topic_expression
from aggregator.wire.xpath import check_expression

CHANGED_ENTRIES = ns.clark(ns.NOTIFICATION, "ChangedEntries")
"""The policy that a notification of a group's Entry holds the entries that changed, not all."""

#: Where the parts of a Subscribe may be; some clients don't qualify them.
_NAMESPACES = frozenset({"", ns.ONVIF_EVENTS, *(dialect.nt for dialect in FAMILIES)})
_LONGEST_EXPRESSION = 16 * 1024
_MOST_FILTERS = 16
_LARGEST_REFERENCE = 16 * 1024
_FALSE = frozenset({"0", "false"})
_TEXT = etree.XPath("string()", smart_strings=False)


@dataclass(frozen=True, slots=True)
class Condition:
    """An XPath 1.0 expression with the prefixes of its element's scope."""

    expression: str
    scope: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subscribe:
    """A request for a subscription (WS-BaseNotification 1.3, section 4.2; the draft, section 4.1).

    A topic must be selected by one of ``topics``; without any, all are. ``contents`` are asked of
    the message (the draft's Selector), ``properties`` of the producer's property document (its
    Precondition). ``termination`` is as it was written, empty where none is asked for.
    ``policies`` are the Clark names of those that mean something here.
    """

    consumer: EndpointReference
    consumer_xml: bytes
    topics: tuple[TopicExpression, ...] = ()
    contents: tuple[Condition, ...] = ()
    properties: tuple[Condition, ...] = ()
    raw: bool = False
    termination: str = ""
    policies: tuple[str, ...] = ()


def read_subscribe(body: Element, *, dialect: Dialect) -> Subscribe:
    """What a Subscribe element asks for; raises SubscribeFailed or one of its kind."""
    parts = _parts(body)
    consumer = parts.get("ConsumerReference")
    if consumer is None:
        raise SubscribeFailed("the Subscribe has no ConsumerReference; it must say whom to notify")
    epr, reference = _consumer(consumer)
    return _read(body, parts, epr, reference, dialect)


def read_pull_subscription(body: Element, *, dialect: Dialect) -> Subscribe:
    """What a CreatePullPointSubscription asks for (ONVIF Core): a Subscribe of whose
    consumer nothing is known but that it will ask."""
    reference = (
        f'<n:ConsumerReference xmlns:n="{dialect.nt}" xmlns:w="{dialect.wsa}">'
        f"<w:Address>{ns.ANONYMOUS}</w:Address></n:ConsumerReference>"
    )
    epr = EndpointReference(ns.ANONYMOUS, wsa=dialect.wsa)
    # What is pulled is wrapped in any case.
    return replace(_read(body, _parts(body), epr, reference.encode(), dialect), raw=False)


def _parts(body: Element) -> dict[str, Element]:
    return {
        str(child.tag).rpartition("}")[2]: child
        for child in body.iterchildren(tag="*")
        if str(child.tag).rpartition("}")[0][1:] in _NAMESPACES
    }


def _read(
    body: Element,
    parts: Mapping[str, Element],
    epr: EndpointReference,
    reference: bytes,
    dialect: Dialect,
) -> Subscribe:
    holder = body if dialect.family == "gt4" else parts.get("Filter")
    topics, contents, properties = _filters(holder, is_draft=dialect.family == "gt4")
    if dialect.family == "gt4" and not topics:
        raise SubscribeFailed("the Subscribe has no TopicExpression; the draft demands one")
    policies = _policies(parts.get("SubscriptionPolicy"), is_draft=dialect.family == "gt4")
    termination = parts.get("InitialTerminationTime")
    wants = "" if termination is None or _is_nil(termination) else text_of(termination)
    use_notify = parts.get("UseNotify")
    raw = "UseRaw" in policies or (use_notify is not None and text_of(use_notify) in _FALSE)
    return Subscribe(
        consumer=epr,
        consumer_xml=reference,
        topics=topics,
        contents=contents,
        properties=properties,
        raw=raw,
        termination=wants,
        policies=tuple(name for name in policies if name != "UseRaw"),
    )


def write_subscribe(
    request: Subscribe, *, dialect: Dialect, consumer: EndpointReference, policy: bytes = b""
) -> bytes:
    """A Subscribe to send to a producer, whose notifications go to `consumer`.

    `policy` are the children of the SubscriptionPolicy, serialised.
    """
    is_draft = dialect.family == "gt4"
    topics = b"".join(write_topic_expression(topic, dialect=dialect) for topic in request.topics)
    selectors, preconditions = write_conditions(request, dialect=dialect)
    policies = b"<_n:SubscriptionPolicy>" + policy + b"</_n:SubscriptionPolicy>" if policy else b""
    time = _element("InitialTerminationTime", request.termination)
    if is_draft:
        notify = b"<_n:UseNotify>false</_n:UseNotify>" if request.raw else b""
        inner = topics + notify + preconditions + selectors + policies + time
    else:
        filters = topics + preconditions + selectors
        inner = b"<_n:Filter>" + filters + b"</_n:Filter>" if filters else b""
        inner += time + policies
    to = write_epr(consumer, name="ConsumerReference", namespace=dialect.nt, dialect=dialect)
    return f'<_n:Subscribe xmlns:_n="{dialect.nt}">'.encode() + to + inner + b"</_n:Subscribe>"


def write_conditions(
    request: Subscribe, *, dialect: Dialect, contents: str = ns.XPATH_1
) -> tuple[bytes, bytes]:
    """The elements that hold what is asked of the message, as a dialect of the address `contents`,
    and of the producer's properties."""
    names = ("MessageContent", "ProducerProperties")
    if dialect.family == "gt4":
        names = ("Selector", "Precondition")
    selectors = (_condition(one, names[0], contents, dialect) for one in request.contents)
    preconditions = (_condition(one, names[1], ns.XPATH_1, dialect) for one in request.properties)
    return b"".join(selectors), b"".join(preconditions)


def read_condition(element: Element) -> Condition:
    """The XPath of a QueryExpressionType; raises InvalidQuery for what is none."""
    dialect = ""
    for name, value in element.attrib.items():
        if str(name).rpartition("}")[2] == "Dialect":
            dialect = str(value).strip()
    if dialect and dialect not in ns.XPATH_DIALECTS:
        raise InvalidQuery(
            f"the dialect {dialect[:200]!r} is not spoken; XPath 1.0 is {ns.XPATH_1}"
        )
    expression = str(_TEXT(element)).strip()
    scope = {prefix: str(uri) for prefix, uri in element.nsmap.items() if prefix}
    check_expression(expression, scope, longest=_LONGEST_EXPRESSION)
    try:
        # Who subscribes is told at once: later there is nobody to tell.
        etree.XPath(expression, namespaces=scope)
    except etree.XPathError as error:
        raise InvalidQuery(f"{expression[:200]!r} is no XPath 1.0: {error}") from error
    return Condition(expression, {p: uri for p, uri in scope.items() if f"{p}:" in expression})


def _consumer(element: Element) -> tuple[EndpointReference, bytes]:
    """The ConsumerReference; its references come with every message, so that it must be small."""
    try:
        epr = read_epr(element)
    except ConfigError as error:
        raise SubscribeFailed(f"ConsumerReference: {error.message}") from error
    written = serialise(element)
    if len(written) > _LARGEST_REFERENCE:
        raise SubscribeFailed(
            f"the ConsumerReference has {len(written)} bytes; at most "
            f"{_LARGEST_REFERENCE} are taken"
        )
    return epr, written


_Filters = tuple[tuple[TopicExpression, ...], tuple[Condition, ...], tuple[Condition, ...]]


def _filters(holder: Element | None, *, is_draft: bool) -> _Filters:
    topics: list[TopicExpression] = []
    contents: list[Condition] = []
    properties: list[Condition] = []
    unknown: list[str] = []
    children = () if holder is None else holder.iterchildren(tag="*")
    for number, child in enumerate(children):
        if number >= _MOST_FILTERS:
            raise SubscribeFailed(f"more than {_MOST_FILTERS} filters in one Subscribe")
        name = str(child.tag).rpartition("}")[2]
        if name == "TopicExpression":
            topics.append(read_topic_expression(child))
        elif name in ("MessageContent", "Selector"):
            contents.append(_checked(child, InvalidMessageContent))
        elif name in ("ProducerProperties", "Precondition"):
            properties.append(_checked(child, InvalidProducerProperties))
        else:
            unknown.append(str(child.tag))
    if unknown and not is_draft:
        raise InvalidFilter(
            f"the filters {', '.join(unknown)[:500]} mean nothing here; understood are "
            "TopicExpression, MessageContent and ProducerProperties",
            unknown=tuple(unknown),
        )
    return tuple(topics), tuple(contents), tuple(properties)


def _checked(element: Element, refusal: type[RequestError]) -> Condition:
    try:
        return read_condition(element)
    except InvalidQuery as error:
        name = str(element.tag).rpartition("}")[2]
        raise refusal(f"{name}: {error.message}") from error


def _policies(element: Element | None, *, is_draft: bool) -> tuple[str, ...]:
    """The policies that mean something here; the draft's may be anything, which is left alone."""
    known: list[str] = []
    unknown: list[str] = []
    for child in () if element is None else element.iterchildren(tag="*"):
        namespace, _, local = str(child.tag).rpartition("}")
        if local == "UseRaw" and namespace[1:] in _NAMESPACES:
            known.append(local)
        elif child.tag == CHANGED_ENTRIES:
            known.append(CHANGED_ENTRIES)
        else:
            unknown.append(str(child.tag))
    if unknown and not is_draft:
        raise UnrecognizedPolicy(
            f"the policies {', '.join(unknown)[:500]} mean nothing here; understood are UseRaw "
            f"and {CHANGED_ENTRIES}",
            unknown=tuple(unknown),
        )
    return tuple(known)


def _is_nil(element: Element) -> bool:
    return element.get(ns.clark(ns.XSI, "nil"), "").strip() in ("true", "1")


def write_topic_expression(topic: TopicExpression, *, dialect: Dialect) -> bytes:
    """The element TopicExpression, standing alone.

    It has the names that `dialect` has for WSRF and for topic dialects.
    """
    ours, theirs = ns.TOPIC_DIALECTS if dialect.family == "gt4" else reversed(ns.TOPIC_DIALECTS)
    address = topic.dialect.replace(theirs, ours)
    return _expression("TopicExpression", topic.text, address, topic.scope, dialect)


def _condition(condition: Condition, name: str, address: str, dialect: Dialect) -> bytes:
    return _expression(name, condition.expression, address, condition.scope, dialect)


def _expression(
    name: str, text: str, address: str, scope: Mapping[str, str], dialect: Dialect
) -> bytes:
    prefix = "_n"
    while prefix in scope:
        # Then it means something else in the expression.
        prefix += "n"
    return (
        f'<{prefix}:{name} xmlns:{prefix}="{dialect.nt}"{_declared(scope, dialect)} '
        f"Dialect={quoteattr(address)}>{escape(text)}</{prefix}:{name}>"
    ).encode()


def _declared(scope: Mapping[str, str], dialect: Dialect) -> str:
    """Declarations of the prefixes in scope."""
    named = ((f"xmlns:{prefix}" if prefix else "xmlns", uri) for prefix, uri in scope.items())
    return "".join(f" {name}={quoteattr(_moved(uri, dialect))}" for name, uri in named)


def _moved(namespace: str, dialect: Dialect) -> str:
    return in_dialect(ns.clark(namespace, "x"), dialect)[1:].rpartition("}")[0]


def _element(name: str, text: str) -> bytes:
    return f"<_n:{name}>{escape(text)}</_n:{name}>".encode() if text else b""
