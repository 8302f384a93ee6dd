"""Requests to measurement archives in the NMWG protocol, and what is published of their replies."""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from aggregator.contract import HttpReply
from aggregator.errors import CollectError, RequestError
from aggregator.wire.dialects import OASIS
from aggregator.wire.envelope import SOAP11, write_envelope
from aggregator.wire.namespaces import clark
from aggregator.wire.nmwg import DATA, METADATA, errors_of, find_message
from aggregator.wire.nmwg_names import NMWG, NMWGT, SELECT, SELECT_EVENT
from aggregator.wire.parse import Element, serialise_all

from ._reply import ROOM, read_fault, read_soap

#: Stands where the times go, and where a request is cut into pieces; XML can't hold it.
_CUT = "\0"
#: Most errors of a reply that are told.
_MOST_TOLD = 5


def window_request(
    ends: Iterable[tuple[str, str, str]], event_types: Iterable[str]
) -> tuple[str, str, str]:
    """The envelope that asks for the data of a path, in three pieces.

    startTime goes between the first two, endTime between the last two, both in unix time. Each of
    `ends` is src or dst, its value, and the type of that or nothing.
    """
    pair = "".join(
        f"<nmwgt:{name} value={quoteattr(value)}{f' type={quoteattr(kind)}' if kind else ''}/>"
        for name, value, kind in ends
    )
    types = "".join(f"<nmwg:eventType>{escape(one)}</nmwg:eventType>" for one in event_types)
    times = "".join(
        f'<nmwg:parameter name="{name}">{_CUT}</nmwg:parameter>'
        for name in ("startTime", "endTime")
    )
    message = (
        f'<nmwg:message xmlns:nmwg="{NMWG}" xmlns:nmwgt="{NMWGT}" xmlns:select="{SELECT}" '
        'type="SetupDataRequest" id="message1">'
        f'<nmwg:metadata id="path"><nmwg:subject id="subject1"><nmwgt:endPointPair>{pair}'
        f"</nmwgt:endPointPair></nmwg:subject>{types}</nmwg:metadata>"
        '<nmwg:metadata id="window"><select:subject id="subject2" metadataIdRef="path"/>'
        f'<select:parameters id="parameters1">{times}</select:parameters>'
        f"<nmwg:eventType>{SELECT_EVENT}</nmwg:eventType></nmwg:metadata>"
        '<nmwg:data id="data1" metadataIdRef="window"/></nmwg:message>'
    )
    head, middle, tail = write_envelope(SOAP11, message.encode()).decode().split(_CUT)
    return head, middle, tail


def read_answer(reply: HttpReply) -> tuple[bytes, ...]:
    """The metadata and data of an archive's reply; CollectError for any other answer.

    A reply that tells of errors alone is one; where there is data beside them, all is published.
    """
    message = _message(reply)
    errors = errors_of(message)
    content = list(message.iterchildren(METADATA, DATA))
    wrong = {error.metadata for error in errors}
    if errors and all(
        data.get("metadataIdRef", "") in wrong for data in message.iterchildren(DATA)
    ):
        told = "; ".join(map(str, errors[:_MOST_TOLD]))
        raise CollectError(f"the archive answered {told}", code=errors[0].event_type)
    if not content:
        raise CollectError(
            "the archive answered a message without metadata and data", code="wrong-content"
        )
    try:
        return serialise_all(content, limit=max(ROOM, 4 * len(reply.body)))
    except RequestError as error:
        raise CollectError(f"the archive's answer: {error.message}", code="too-large") from error


def _message(reply: HttpReply) -> Element:
    envelope = read_soap(reply)
    if envelope.body.tag == clark(envelope.version.namespace, "Fault"):
        raise read_fault(envelope.body, OASIS)
    try:
        return find_message(envelope.body.getroottree().getroot())
    except RequestError as error:
        raise CollectError(
            f"the archive's answer: {error.message}", code="wrong-content"
        ) from error
