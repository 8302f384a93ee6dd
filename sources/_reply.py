"""What a member answered the query source: the data, or why there is none."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

from aggregator.contract import HttpReply
from aggregator.errors import CollectError, RequestError
from aggregator.wire.dialects import QUERY_PROPERTIES, Dialect
from aggregator.wire.envelope import Envelope, read_envelope
from aggregator.wire.namespaces import QUERY, clark
from aggregator.wire.parse import Element, Limits, parse, serialise_all, text_of

#: Statuses with which a server that does not know the operation may answer without SOAP.
_UNKNOWN_OPERATION = frozenset({400, 415, 500, 501})
_CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s;"']+)""", re.IGNORECASE)
_LONGEST = 500
#: A member may be an index, whose entries hold what others sent it within its limits.
_DEPTH, _NAMESPACES = 192, 256
#: Bytes that the properties may come to, each with the namespaces in its scope, in any case.
ROOM = 2**20


class MemberFault(CollectError):
    """Raised for a fault of the member; ``name`` is its detail's, or that of the last subcode."""

    def __init__(self, message: str, *, name: str = "") -> None:
        super().__init__(message, code="fault")
        self.name = name


class NotSpoken(CollectError):
    """Raised when the member may not have understood the dialect of the request."""


class StrangeFault(MemberFault, NotSpoken):
    """Raised for a fault that no specification of WSRF has: it may not have understood."""


def read_content(reply: HttpReply, *, operation: str, dialect: Dialect) -> tuple[bytes, ...]:
    """The children of the response element; raises CollectError for any other answer."""
    body = read_response(reply, operation=operation, dialect=dialect)
    try:
        limit = max(ROOM, 4 * len(reply.body))
        content = serialise_all(body.iterchildren(tag="*"), limit=limit)
    except RequestError as error:
        raise CollectError(f"the member's answer: {error.message}", code="too-large") from error
    if content or operation != QUERY_PROPERTIES.name:
        return content
    # An expression may yield a string, a number or a boolean, which no element holds.
    text = escape(text_of(body))
    return (f'<q:Result xmlns:q="{QUERY}">{text}</q:Result>'.encode(),)


def read_response(reply: HttpReply, *, operation: str, dialect: Dialect) -> Element:
    """The response element; raises CollectError for any other answer."""
    envelope = read_soap(reply)
    body = envelope.body
    if body.tag == clark(envelope.version.namespace, "Fault"):
        raise read_fault(body, dialect)
    name = str(body.tag).rpartition("}")[2]
    if name != f"{operation}Response":
        raise CollectError(
            f"the member answered {name[:100]} where {operation}Response is expected",
            code="wrong-content",
        )
    return body


def read_soap(reply: HttpReply) -> Envelope:
    """The envelope of a reply; raises CollectError where there is none."""
    status = reply.status
    if 300 <= status < 400:
        raise CollectError(
            f"the member answered with a redirect (HTTP status {status}), which is not followed; "
            "register the address where it is",
            code="redirect",
        )
    charset = _CHARSET.search(reply.content_type)
    limits = Limits(size=len(reply.body), depth=_DEPTH, nodes=2_000_000, namespaces=_NAMESPACES)
    try:
        root = parse(reply.body, limits=limits, charset=charset[1] if charset else "")
        return read_envelope(root)
    except RequestError as error:
        if status >= 400:
            kind = NotSpoken if status in _UNKNOWN_OPERATION else CollectError
            raise kind(
                f"the member answered with HTTP status {status} and no SOAP", code="http-status"
            ) from error
        raise CollectError(
            f"the member answered {_media(reply)}, which is not SOAP: {error.message}",
            code="not-soap",
        ) from error


def _media(reply: HttpReply) -> str:
    if not reply.body:
        return "nothing"
    media = reply.content_type.partition(";")[0].strip()[:80]
    return "HTML" if media == "text/html" else media or "something without a media type"


def read_fault(fault: Element, dialect: Dialect) -> MemberFault:
    """The error for a SOAP fault; one typed in the dialect proves that it is spoken there."""
    detail = [
        child
        for holder in fault.iterchildren("detail", "{*}Detail")
        for child in holder.iterchildren(tag="*")
    ]
    ours = {dialect.sg, dialect.rp, dialect.rl, dialect.r, dialect.bf, dialect.nt}
    typed = [child for child in detail if str(child.tag)[1:].partition("}")[0] in ours]
    reason = fault.findtext("faultstring") or fault.findtext("{*}Reason/{*}Text") or ""
    said = [" ".join(reason.split())]
    name = ""
    # ONVIF says what is wrong by the innermost subcode (ONVIF Core, on fault codes).
    if subcodes := [text_of(value) for value in fault.iterfind("{*}Code//{*}Subcode/{*}Value")]:
        name = subcodes[-1].rpartition(":")[2]
        said.insert(0, name)
    for child in typed[:1]:
        name = str(child.tag).rpartition("}")[2]
        said.insert(0, name)
        said += [" ".join((text.text or "").split()) for text in child.iterfind("{*}Description")]
    words = ": ".join(dict.fromkeys(word for word in said if word))
    kind = MemberFault if typed else StrangeFault
    return kind(f"the member answered with a fault: {words[:_LONGEST]}", name=name)
