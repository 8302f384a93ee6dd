"""What a service answered: the Body's child of its envelope, or an error that says what came."""

from __future__ import annotations

from aggregator.client.transport import Reply
from aggregator.errors import RemoteError, RemoteFault, RequestError
from aggregator.wire import namespaces as ns
from aggregator.wire.envelope import read_envelope
from aggregator.wire.parse import Element, Limits, parse

#: Longest text of a fault that is passed on.
MAX_TEXT = 1000
#: Names of a fault's element.
FAULTS = frozenset({ns.clark(soap, "Fault") for soap in (ns.SOAP11, ns.SOAP12)})


def read_reply(url: str, reply: Reply, *, limits: Limits) -> Element:
    """The child of the reply's Body.

    Raises RemoteFault for a SOAP fault, and RemoteError, naming the address and what came
    instead, for anything that is no SOAP message.
    """
    try:
        body = read_envelope(read_document(url, reply, limits=limits)).body
    except RequestError as error:
        raise no_message(url, reply, error) from error
    if body.tag in FAULTS:
        raise read_fault(body)
    if reply.status >= 400:
        raise RemoteError(f"{url} answered HTTP {reply.status} with {body.tag}, not with a fault")
    return body


def read_document(url: str, reply: Reply, *, limits: Limits) -> Element:
    """The root of the document that came; RequestError where it is no XML, else RemoteError."""
    if 300 <= reply.status < 400:
        raise RemoteError(
            f"{url} answered with a redirect (HTTP {reply.status}) to {reply.location[:200]!r}; "
            "redirects are not followed: use the service's own address"
        )
    media, _, parameters = reply.content_type.partition(";")
    media = media.strip().lower()
    if not reply.body.strip():
        raise RemoteError(f"{url} answered HTTP {reply.status} without a message")
    if media and not media.endswith("xml"):
        raise RemoteError(
            f"{url} answered HTTP {reply.status} with {media[:80]}, not with SOAP; "
            "is it the address of a service?"
        )
    return parse(reply.body, limits=limits, charset=_charset(parameters))


def no_message(url: str, reply: Reply, error: RequestError, *, kind: str = "SOAP") -> RemoteError:
    """Our error for a document that is no message of a kind."""
    return RemoteError(f"{url} answered HTTP {reply.status} with no {kind} message: {error}")


def _charset(parameters: str) -> str:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'")
    return ""


def read_fault(fault: Element) -> RemoteFault:
    """The error for a Fault of SOAP 1.1 (section 4.4) or 1.2 (part 1, section 5.4).

    Its text is the Descriptions of the WS-BaseFault and of its causes where there are any, since
    the faultstring of many a stack is but the name of a class.
    """
    if fault.tag == ns.clark(ns.SOAP11, "Fault"):
        code, text = fault.findtext("faultcode"), fault.findtext("faultstring")
        detail = fault.find("detail")
    else:
        soap = {"s": ns.SOAP12}
        code = fault.findtext("s:Code/s:Value", namespaces=soap)
        text = fault.findtext("s:Reason/s:Text", namespaces=soap)
        detail = fault.find("s:Detail", namespaces=soap)
    first = None if detail is None else next(detail.iterchildren(tag="*"), None)
    told = [_line(text or "")]
    if first is not None:
        told = _descriptions(first) or told
    return RemoteFault(
        ": ".join(told)[:MAX_TEXT] or "the service gave no reason",
        code=(code or "").strip().rpartition(":")[2],
        detail="" if first is None else str(first.tag),
    )


def _descriptions(detail: Element) -> list[str]:
    names = [ns.clark(bf, "Description") for bf in (ns.OASIS_BF, ns.GT4_BF)]
    texts = (_line("".join(map(str, node.itertext()))) for node in detail.iter(*names))
    return list(dict.fromkeys(text for text in texts if text))


def _line(text: str) -> str:
    return " ".join(text.split())


def describe(error: RemoteError) -> str:
    """One line for people: a fault's name, where it has one, before its text."""
    if isinstance(error, RemoteFault):
        name = error.detail.rpartition("}")[2] or error.code or "Fault"
        return f"{name}: {error.message}"
    return str(error)
