"""What atheris calls: the first byte chooses what reads the rest.

Whatever is read, the errors are the project's own; what is written is read back as the same.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import atheris

sys.path[0:1] = [str(Path(__file__).resolve().parent.parent)]
with atheris.instrument_imports(include=["aggregator"]):
    from aggregator.view.expressions import check_expression

    from aggregator import errors
    from aggregator.client.replies import read_reply
    from aggregator.client.transport import Reply
    from aggregator.registry.fingerprint import fingerprint
    from aggregator.server.body import charset_of
    from aggregator.server.dispatch import dispatch
    from aggregator.server.refusal import Heard, refuse
    from aggregator.wire import epr, faults, times
    from aggregator.wire.dialects import FAMILIES
    from aggregator.wire.envelope import SOAP11, SOAP12, check_understood, read_envelope
    from aggregator.wire.parse import (
        DEFAULT_LIMITS,
        NO_LIMITS,
        Element,
        parse,
        serialise,
        text_of,
    )
    from aggregator.wire.qnames import read_qname

_NOW = 1_800_000_000_000_000
_WSA = "http://www.w3.org/2005/08/addressing"
_ERRORS = [
    error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, errors.AggregatorException)
]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def message(data: bytes) -> None:
    """A whole message, on the way that it takes in the service, and the answer to one refused."""
    heard = Heard()
    try:
        heard.root = parse(data)
        envelope = heard.envelope = read_envelope(heard.root)
        check_understood(envelope)
        envelope.entry_key()
        heard.operation, heard.dialect = dispatch(envelope, "")
    except errors.RequestError as error:
        parse(refuse(error, heard, now=_NOW).body)
        return
    _same(envelope.body)
    for element in envelope.body.iter("{*}MemberEPR"):
        _reference(element)


def encoded(data: bytes) -> None:
    """A document in whatever charset."""
    charset, _, document = data.partition(b"\n")
    parse(document, charset=charset_of({"CONTENT_TYPE": charset.decode("latin-1")}))


def _same(element: Element) -> None:
    again = parse(serialise(element), limits=NO_LIMITS)
    assert [node.tag for node in again.iter("*")] == [node.tag for node in element.iter("*")]
    assert [text_of(node) for node in again.iter("*")] == [text_of(n) for n in element.iter("*")]
    assert [node.attrib for node in again.iter("*")] == [node.attrib for node in element.iter("*")]
    assert again.nsmap == element.nsmap


def _reference(element: Element) -> None:
    found = epr.read_epr(element)
    fingerprint(found, serialise(element))
    for dialect in FAMILIES:
        written = epr.write_epr(found, name="MemberEPR", namespace=dialect.sg, dialect=dialect)
        again = epr.read_epr(parse(written, limits=NO_LIMITS))
        assert again.address == found.address
        assert len(again.references) == len(found.references)


def reference(data: bytes) -> None:
    """An endpoint reference."""
    _reference(parse(b'<m xmlns:w="%s">%s</m>' % (_WSA.encode(), data)))


def moments(data: bytes) -> None:
    """Times, which are written as they were read, to the millisecond."""
    for read in (times.parse_datetime, lambda text: times.parse_moment(text, now=_NOW)):
        try:
            instant = read(_text(data))
        except ValueError:
            continue
        if instant is not None:
            written = times.parse_datetime(times.format_datetime(instant))
            assert written == instant // times.MILLISECOND * times.MILLISECOND


def names(data: bytes) -> None:
    """A QName as text."""
    root = parse(b'<a xmlns="urn:d" xmlns:p="urn:p"/>')
    root.text = "".join(c for c in _text(data) if c.isprintable())
    read_qname(root)


def told(data: bytes) -> None:
    """Faults that quote anything."""
    error = _ERRORS[data[0] % len(_ERRORS)](_text(data[1:])) if data else ValueError("x")
    for dialect in FAMILIES:
        for version in (SOAP11, SOAP12):
            fault = faults.write_fault(error, version=version, dialect=dialect, now=_NOW)
            parse(b'<b xmlns:soapenv="urn:s">%s%s</b>' % (fault.headers, fault.body))


def reply(data: bytes) -> None:
    """What another service answered."""
    given = Reply(status=500, content_type="text/xml", location="", body=data)
    read_reply("http://a/", given, limits=DEFAULT_LIMITS)


def fault(data: bytes) -> None:
    """A fault that another service answered."""
    space = (SOAP11, SOAP12)[len(data) % 2].namespace.encode()
    body = b'<s:Envelope xmlns:s="%s"><s:Body><s:Fault>%s</s:Fault></s:Body></s:Envelope>'
    reply(body % (space, data))


def expression(data: bytes) -> None:
    """An XPath, at first sight."""
    check_expression(_text(data), {"p": "urn:p"}, longest=4096)


TARGETS: tuple[Callable[[bytes], None], ...] = (
    message,
    encoded,
    reference,
    moments,
    names,
    told,
    reply,
    fault,
    expression,
)


def one_input(data: bytes) -> None:
    """Hand the data to who its first byte names."""
    if data:
        try:
            TARGETS[data[0] % len(TARGETS)](data[1:])
        except errors.AggregatorException:
            return


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
