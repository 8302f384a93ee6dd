"""SOAP envelopes 1.1 and 1.2: read with their addressing headers, written around ready bytes."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from itertools import islice
from xml.sax.saxutils import escape

from aggregator.errors import MalformedRequest, NotUnderstood, VersionMismatch
from aggregator.wire import namespaces as ns
from aggregator.wire.epr import read_entry_key
from aggregator.wire.parse import Element, text_of

XML_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'


@dataclass(frozen=True, slots=True)
class SoapVersion:
    """What differs between SOAP 1.1 and 1.2 (W3C note 2000-05-08; W3C recommendation 2007)."""

    name: str
    namespace: str
    content_type: str
    role: str
    client: str
    server: str


SOAP11 = SoapVersion("1.1", ns.SOAP11, "text/xml; charset=utf-8", "actor", "Client", "Server")
SOAP12 = SoapVersion(
    "1.2", ns.SOAP12, "application/soap+xml; charset=utf-8", "role", "Sender", "Receiver"
)
VERSIONS = {version.namespace: version for version in (SOAP11, SOAP12)}

#: Roles in which we act; a header for any other is none of our business.
_OUR_ROLES = frozenset(
    {
        "",
        "http://schemas.xmlsoap.org/soap/actor/next",
        "http://www.w3.org/2003/05/soap-envelope/role/next",
        "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver",
    }
)
_IS_REFERENCE = ns.clark(ns.WSA_2005_08, "IsReferenceParameter")
_WSA_CLARK = tuple(f"{{{wsa}}}" for wsa in ns.WSA_ALL)
#: Message addressing properties; a header of WS-Addressing that is none of them is strange here.
_ADDRESSING = frozenset({"To", "From", "ReplyTo", "FaultTo", "Action", "MessageID", "RelatesTo"})
#: Most headers that are told to be not understood.
_MOST_NAMED = 5
_TRUE = frozenset({"1", "true"})


@dataclass(frozen=True, slots=True)
class Addressing:
    """The WS-Addressing headers of a request, all empty where it has none."""

    namespace: str = ""
    message_id: str = ""
    action: str = ""
    to: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A SOAP message that was read: its version, headers, and the one child of its Body."""

    version: SoapVersion
    headers: tuple[Element, ...]
    body: Element
    addressing: Addressing

    def entry_key(self) -> tuple[str, str] | None:
        """GroupKey and EntryKey of the first header that holds them, whatever its own name."""
        for header in self.headers:
            if (key := read_entry_key(header)) is not None:
                return key
        return None


def read_envelope(root: Element) -> Envelope:
    """Read a SOAP envelope; raises VersionMismatch or MalformedRequest, saying what is wrong."""
    name = str(root.tag)
    version = VERSIONS.get(name[1:].partition("}")[0])
    if version is None or not name.endswith("}Envelope"):
        raise VersionMismatch(
            f"the root element is {name[:120]}, not an Envelope of SOAP 1.1 ({ns.SOAP11}) "
            f"or 1.2 ({ns.SOAP12})"
        )
    soap = version.namespace
    header = root.find(ns.clark(soap, "Header"))
    headers = () if header is None else tuple(header.iterchildren(tag="*"))
    body = root.find(ns.clark(soap, "Body"))
    if body is None:
        raise MalformedRequest("the envelope has no Body")
    operation = next(body.iterchildren(tag="*"), None)
    if operation is None:
        raise MalformedRequest("the Body is empty; it must hold the element of an operation")
    return Envelope(version, headers, operation, _addressing(headers))


def _addressing(headers: tuple[Element, ...]) -> Addressing:
    found: dict[str, str] = {}
    namespace = ""
    for header in headers:
        tag = str(header.tag)
        if tag.startswith(_WSA_CLARK):
            uri, _, local = tag[1:].partition("}")
            namespace = namespace or uri
            found.setdefault(local, text_of(header))
    # WSRF::Lite writes literal quotes around the Action.
    action = found.get("Action", "").strip('"')
    return Addressing(namespace, found.get("MessageID", ""), action, found.get("To", ""))


def check_understood(envelope: Envelope) -> None:
    """Raise NotUnderstood for headers with mustUnderstand that mean nothing here.

    Understood are WS-Addressing, reference parameters and anything that holds an entry key
    (SOAP 1.1 section 4.2.3, SOAP 1.2 part 1 section 5.2.3).
    """
    soap = envelope.version.namespace
    demand, role = ns.clark(soap, "mustUnderstand"), ns.clark(soap, envelope.version.role)
    strange = (
        str(header.tag)
        for header in envelope.headers
        if header.get(demand, "").strip() in _TRUE
        and header.get(role, "").strip() in _OUR_ROLES
        and not _is_understood(header)
    )
    if named := tuple(islice(strange, _MOST_NAMED)):
        raise NotUnderstood(
            "mustUnderstand is set on headers that are not understood here: "
            + ", ".join(name[:200] for name in named),
            headers=named,
        )


def _is_understood(header: Element) -> bool:
    uri, _, local = str(header.tag)[1:].partition("}")
    if uri in ns.WSA_ALL and local in _ADDRESSING:
        return True
    if header.get(_IS_REFERENCE, "").strip() in _TRUE:
        return True
    return read_entry_key(header) is not None


def envelope_head(version: SoapVersion, *, headers: bytes = b"") -> bytes:
    """The bytes of an envelope up to where the Body's child begins.

    No default namespace is declared and the one prefix is ours, so that whatever bytes follow
    keep their meaning.
    """
    header = b"<soapenv:Header>" + headers + b"</soapenv:Header>" if headers else b""
    opening = f'<soapenv:Envelope xmlns:soapenv="{version.namespace}">'.encode()
    return XML_DECLARATION + opening + header + b"<soapenv:Body>"


ENVELOPE_TAIL = b"</soapenv:Body></soapenv:Envelope>"


def write_envelope(version: SoapVersion, body: bytes, *, headers: bytes = b"") -> bytes:
    """A whole envelope around the bytes of the Body's child."""
    return envelope_head(version, headers=headers) + body + ENVELOPE_TAIL


def addressing_headers(wsa: str, **blocks: str) -> bytes:
    """WS-Addressing header blocks, each declaring its prefix; empty texts are left out."""
    return "".join(
        f'<wsa:{name} xmlns:wsa="{wsa}">{escape(text)}</wsa:{name}>'
        for name, text in blocks.items()
        if text
    ).encode()


def reply_headers(request: Addressing, action: str) -> bytes:
    """The addressing headers of a reply, in the version of the request; none where it had none."""
    if not request.namespace:
        return b""
    return addressing_headers(
        request.namespace,
        Action=action,
        MessageID=f"urn:uuid:{uuid.uuid4()}",
        RelatesTo=request.message_id,
    )
