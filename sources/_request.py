"""The requests of the query source: built once per registration, sent again on every tick."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from aggregator.model import Plan
from aggregator.wire.dialects import (
    DIALECTS,
    FAMILIES,
    GET_PROPERTIES,
    GET_PROPERTY,
    QUERY_PROPERTIES,
    Dialect,
    spec_of,
)
from aggregator.wire.envelope import SOAP11, addressing_headers, write_envelope
from aggregator.wire.epr import EndpointReference, as_header
from aggregator.wire.namespaces import XPATH_1, clark
from aggregator.wire.parse import serialise

OPERATIONS = {
    operation.name: operation for operation in (GET_PROPERTY, GET_PROPERTIES, QUERY_PROPERTIES)
}
#: Stands where a request is cut into pieces; XML can't hold it.
_CUT = "\0"


@dataclass(frozen=True, slots=True)
class Question:
    """What a member is asked: property names (Clark), or an XPath with its prefixes."""

    operation: str
    names: tuple[str, ...] = ()
    expression: str = ""
    scope: Mapping[str, str] | None = None


def build_requests(question: Question, *, member: EndpointReference) -> dict[str, list[str]]:
    """The envelope that asks `question`, for each family of dialects, as three pieces.

    The Action goes between the first two, the MessageID, which must differ from message to
    message (WS-Addressing 1.0, section 3.2), between the last two.
    """
    return {
        dialect.name: _envelope(question, member, dialect).decode().split(_CUT)
        for dialect in FAMILIES
    }


def write_request(plan: Plan, dialect: Dialect) -> tuple[bytes, dict[str, str]]:
    """One message: the body to post and its HTTP headers."""
    action = dialect.action(OPERATIONS[str(plan.data["operation"])])
    requests = plan.data["requests"]
    assert isinstance(requests, dict)
    head, middle, tail = requests[DIALECTS[dialect.name].family]
    body = f"{head}{action}{middle}urn:uuid:{uuid.uuid4()}{tail}".encode()
    return body, {"Content-Type": SOAP11.content_type, "SOAPAction": f'"{action}"'}


def _envelope(question: Question, member: EndpointReference, dialect: Dialect) -> bytes:
    headers = addressing_headers(dialect.wsa, To=member.address, Action=_CUT, MessageID=_CUT)
    copied = (as_header(reference, dialect) for reference in member.references)
    body = _query(question, dialect) if question.expression else _names(question, dialect)
    return write_envelope(SOAP11, body, headers=headers + b"".join(copied))


def _names(question: Question, dialect: Dialect) -> bytes:
    prefixes: dict[str, str] = {}
    inner = [_qname(name, prefixes, dialect) for name in question.names]
    if question.operation != GET_PROPERTY.name:
        inner = [f"<rp:ResourceProperty>{name}</rp:ResourceProperty>" for name in inner]
    # Each namespace once, however many names are in it.
    declared = "".join(f" xmlns:{prefix}={quoteattr(uri)}" for uri, prefix in prefixes.items())
    outer = f"rp:{question.operation}"
    return f'<{outer} xmlns:rp="{dialect.rp}"{declared}>{"".join(inner)}</{outer}>'.encode()


def _qname(name: str, prefixes: dict[str, str], dialect: Dialect) -> str:
    """A QName as text, its prefix taken from `prefixes`, which are by namespace."""
    if not name.startswith("{"):
        return escape(name)
    namespace, _, local = name[1:].partition("}")
    prefix = prefixes.setdefault(_of_dialect(namespace, dialect), f"p{len(prefixes) or ''}")
    return f"{prefix}:{escape(local)}"


def _query(question: Question, dialect: Dialect) -> bytes:
    operation = etree.Element(clark(dialect.rp, question.operation), nsmap={"rp": dialect.rp})
    scope = {
        prefix: _of_dialect(namespace, dialect)
        for prefix, namespace in (question.scope or {}).items()
    }
    expression = etree.SubElement(operation, clark(dialect.rp, "QueryExpression"), nsmap=scope)
    expression.set("Dialect", XPATH_1)
    expression.text = question.expression
    return serialise(operation)


def _of_dialect(namespace: str, dialect: Dialect) -> str:
    """A namespace of WSRF in the member's dialect, so that either side may name its properties."""
    found = spec_of(namespace)
    return namespace if found is None else dialect.namespace(found[1])
