"""The bodies of requests, as bytes, in either dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from aggregator.wire import namespaces as ns
from aggregator.wire.dialects import Dialect
from aggregator.wire.epr import EndpointReference, write_epr
from aggregator.wire.parse import parse, serialise
from aggregator.wire.times import format_datetime


@dataclass(frozen=True, slots=True)
class ArchiveQuery:
    """What to ask an archive for; what is empty or None is not limited.

    `since` and `until` are instants, `after` is what a reply said about where to go on.
    """

    expression: str
    prefixes: Mapping[str, str]
    since: int | None = None
    until: int | None = None
    member: str = ""
    entry: str = ""
    limit: int = 0
    after: str = ""


_XSI_TYPE = ns.clark(ns.XSI, "type")


def add(
    member: EndpointReference, content: bytes, *, termination: int | None, dialect: Dialect
) -> bytes:
    """The body of Add (WS-ServiceGroup 1.2, section 4.4.1); no `termination` asks for no end."""
    initial = (
        b""
        if termination is None
        else f"<sg:InitialTerminationTime>{format_datetime(termination)}"
        "</sg:InitialTerminationTime>".encode()
    )
    return b"".join(
        (
            f'<sg:Add xmlns:sg="{dialect.sg}">'.encode(),
            write_epr(member, name="MemberEPR", namespace=dialect.sg, dialect=dialect),
            named_content(content, dialect=dialect),
            initial,
            b"</sg:Add>",
        )
    )


def named_content(content: bytes, *, dialect: Dialect) -> bytes:
    """The Content of a registration under the name that the dialect gives it.

    Its namespaces stay in scope, because QNames in its text rest on them. The final standard has
    a type of its own for Content, so there an xsi:type on it has to go.
    """
    element = parse(content)
    element.tag = ns.clark(dialect.sg, "Content")
    if dialect.family == "oasis" and _XSI_TYPE in element.attrib:
        del element.attrib[_XSI_TYPE]
    return serialise(element)


def get_property(name: str, *, dialect: Dialect) -> bytes:
    """The body of GetResourceProperty; `name` is a Clark name."""
    declaration, qname = _qname(name)
    return (
        f'<rp:GetResourceProperty xmlns:rp="{dialect.rp}"{declaration}>{qname}'
        "</rp:GetResourceProperty>"
    ).encode()


def get_properties(names: Sequence[str], *, dialect: Dialect) -> bytes:
    """The body of GetMultipleResourceProperties; `names` are Clark names."""
    asked = "".join(
        f"<rp:ResourceProperty{declaration}>{qname}</rp:ResourceProperty>"
        for declaration, qname in map(_qname, names)
    )
    return (
        f'<rp:GetMultipleResourceProperties xmlns:rp="{dialect.rp}">{asked}'
        "</rp:GetMultipleResourceProperties>"
    ).encode()


def query_properties(
    expression: str, *, query_dialect: str, prefixes: Mapping[str, str], dialect: Dialect
) -> bytes:
    """The body of QueryResourceProperties; `prefixes` are in scope of the expression.

    Our own prefix is one that nobody declares for himself.
    """
    declared = "".join(f" xmlns:{name}={quoteattr(uri)}" for name, uri in prefixes.items())
    return (
        f'<_rp:QueryResourceProperties xmlns:_rp="{dialect.rp}">'
        f"<_rp:QueryExpression Dialect={quoteattr(query_dialect)}{declared}>{escape(expression)}"
        "</_rp:QueryExpression></_rp:QueryResourceProperties>"
    ).encode()


def query_archive(asked: ArchiveQuery) -> bytes:
    """The body of QueryArchive, the same in every dialect."""
    declared = "".join(f" xmlns:{name}={quoteattr(uri)}" for name, uri in asked.prefixes.items())
    parts = [
        f'<_a:QueryArchive xmlns:_a="{ns.ARCHIVE}"><_a:QueryExpression '
        f"Dialect={quoteattr(ns.XPATH_1)}{declared}>{escape(asked.expression)}"
        "</_a:QueryExpression>"
    ]
    for name, instant in (("From", asked.since), ("To", asked.until)):
        if instant is not None:
            parts.append(f"<_a:{name}>{format_datetime(instant)}</_a:{name}>")
    if asked.member:
        parts.append(
            f'<_a:MemberEPR xmlns:_w="{ns.WSA_2005_08}"><_w:Address>{escape(asked.member)}'
            "</_w:Address></_a:MemberEPR>"
        )
    for name, text in (
        ("EntryKey", asked.entry),
        ("Limit", str(asked.limit or "")),
        ("After", asked.after),
    ):
        if text:
            parts.append(f"<_a:{name}>{escape(text)}</_a:{name}>")
    return "".join((*parts, "</_a:QueryArchive>")).encode()


def get_document(*, dialect: Dialect) -> bytes:
    """The body of GetResourcePropertyDocument, which only the final standard has."""
    return f'<rp:GetResourcePropertyDocument xmlns:rp="{dialect.rp}"/>'.encode()


def set_termination_time(termination: int | None, *, dialect: Dialect) -> bytes:
    """The body of SetTerminationTime; None asks for no end (nil, in both dialects)."""
    if termination is None:
        asked = f'<rl:RequestedTerminationTime xmlns:xsi="{ns.XSI}" xsi:nil="true"/>'
    else:
        asked = (
            f"<rl:RequestedTerminationTime>{format_datetime(termination)}"
            "</rl:RequestedTerminationTime>"
        )
    return (
        f'<rl:SetTerminationTime xmlns:rl="{dialect.rl}">{asked}</rl:SetTerminationTime>'.encode()
    )


def destroy(*, dialect: Dialect) -> bytes:
    """The body of Destroy."""
    return f'<rl:Destroy xmlns:rl="{dialect.rl}"/>'.encode()


def _qname(name: str) -> tuple[str, str]:
    """A declaration, with a space before it, and the QName that rests on it."""
    namespace, brace, local = name.rpartition("}")
    if not brace:
        return "", escape(local)
    return f" xmlns:p={quoteattr(namespace[1:])}", f"p:{escape(local)}"


def create_trigger(monitored: str) -> bytes:
    """The body of CreateTrigger, the same in both dialects."""
    return (
        f'<t:CreateTrigger xmlns:t="{ns.TRIGGER_MORE}"><t:MonitoredURL>{escape(monitored)}'
        "</t:MonitoredURL></t:CreateTrigger>"
    ).encode()


def set_properties(values: Mapping[str, Sequence[str]], *, dialect: Dialect) -> bytes:
    """The body of SetResourceProperties (WS-ResourceProperties 1.2, section 6.4).

    `values` are texts by the Clark names of the properties; one without any is deleted.
    """
    steps = []
    for name, texts in values.items():
        uri, _, local = name[1:].rpartition("}")
        declared = f" xmlns:p={quoteattr(uri)}"
        if not texts:
            steps.append(f'<rp:Delete{declared} ResourceProperty="p:{local}"/>')
            continue
        inner = "".join(f"<p:{local}{declared}>{escape(text)}</p:{local}>" for text in texts)
        steps.append(f"<rp:Update>{inner}</rp:Update>")
    return (
        f'<rp:SetResourceProperties xmlns:rp="{dialect.rp}">{"".join(steps)}'
        "</rp:SetResourceProperties>"
    ).encode()
