"""Which registrations are the same: equal address, references and canonical AggregatorConfig."""

from __future__ import annotations

import hashlib
import json
import re

from lxml import etree

from aggregator.errors import ConfigError
from aggregator.wire.epr import EndpointReference
from aggregator.wire.namespaces import AGG, XSI, clark
from aggregator.wire.parse import NO_LIMITS, Element, parse
from aggregator.wire.qnames import read_qname

#: Elements whose text is a QName: its prefix is an accident, its namespace is not.
_QNAME_TAGS = frozenset(
    clark(AGG, name) for name in ("ResourcePropertyName", "ResourcePropertyNames", "ProbeName")
)
_QNAME_ATTRIBUTES = frozenset({clark(XSI, "type")})
#: A prefix inside a longer text, such as an XPath; an axis (``child::``) is none.
_PREFIX = re.compile(r"([^\W\d][\w.-]*):(?!:)")

#: What JSON can say of a piece of XML: names, texts, and lists of them.
_Canonical = str | list["_Canonical"]
#: Namespaces by prefix, None being that of the default one; and the own ones of elements.
_Scope = dict[str | None, str]
_Declared = dict[Element, _Scope]


def fingerprint(member: EndpointReference, config: bytes) -> str:
    """A digest that two Adds share exactly when they register the same member the same way.

    Prefixes, white space between elements, comments and the order of attributes don't matter; a
    prefix that stands in text counts by the namespace that it is bound to.
    """
    digest = hashlib.sha256(member.address.strip().encode())
    for part in sorted(_canonical(reference) for reference in member.references):
        digest.update(b"\0r" + part)
    digest.update(b"\0c" + (_canonical(config) if config else b""))
    return digest.hexdigest()


def references_digest(member: EndpointReference) -> str:
    """A digest that tells resources of one address apart; empty for one without references."""
    if not member.references:
        return ""
    parts = sorted(_canonical(reference) for reference in member.references)
    return hashlib.sha256(b"\0r".join(parts)).hexdigest()


def _canonical(xml: bytes) -> bytes:
    root = parse(xml, limits=NO_LIMITS)
    return json.dumps(_element(root, {}, _declared(root)), ensure_ascii=False).encode()


def _declared(root: Element) -> _Declared:
    """The namespaces that elements declare, for those that declare any.

    To ask each element for all that are in its scope takes a hundred times as long, where they
    are many.
    """
    found: _Declared = {}
    own: _Scope = {}
    for event, what in etree.iterwalk(root, events=("start-ns", "start")):
        if event == "start-ns":
            own[what[0] or None] = what[1]
        elif own:
            found[what], own = own, {}
    return found


def _element(element: Element, scope: _Scope, declared: _Declared) -> _Canonical:
    if own := declared.get(element):
        scope = {**scope, **own}
    attributes: list[_Canonical] = [
        [str(name), _value(element, str(value), scope, is_qname=name in _QNAME_ATTRIBUTES)]
        for name, value in sorted(element.attrib.items())
    ]
    content: list[_Canonical] = []
    text = element.text or ""
    for child in element:
        if isinstance(child.tag, str):
            _add_text(content, element, text, scope)
            content.append(_element(child, scope, declared))
            text = ""
        text += child.tail or ""
    _add_text(content, element, text, scope)
    return [str(element.tag), attributes, content]


def _add_text(content: list[_Canonical], element: Element, text: str, scope: _Scope) -> None:
    if text := text.strip():
        content.append(_value(element, text, scope, is_qname=element.tag in _QNAME_TAGS))


def _value(element: Element, text: str, scope: _Scope, *, is_qname: bool) -> _Canonical:
    if is_qname:
        try:
            return read_qname(element, text=text, scope=scope)
        except ConfigError:
            return text
    if ":" not in text:
        return text
    bound = sorted({prefix for prefix in _PREFIX.findall(text) if prefix in scope})
    return [text, *([prefix, scope[prefix]] for prefix in bound)] if bound else text
