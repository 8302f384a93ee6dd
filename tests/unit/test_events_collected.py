"""What an event becomes that is collected, and what a hostile one does not."""

from __future__ import annotations

import pytest

from aggregator.errors import EventUnreadable
from aggregator.events import ResourceLifecycleEventPublisher
from aggregator.events.collected import document, dumped
from aggregator.events.encoding import decode, encode
from aggregator.events.json_format import CONTENT_TYPE as JSON
from aggregator.events.transport.contract import Delivery
from aggregator.events.xml_format import CONTENT_TYPE as XML
from aggregator.wire.parse import parse

LIMIT = 10_000
DOCTYPE = '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
EVENT = ResourceLifecycleEventPublisher.create_event(
    state="ACTIVE", description="<ä>&\n", datetime=1.0
)


def became(body: bytes, content_type: str, limit: int = LIMIT, **headers: object) -> bytes:
    """What is published of a message."""
    delivery = Delivery(
        routing_key="1001.buoy-7",
        body=body,
        content_type=content_type,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
    return document(dumped(delivery), limit=limit)


@pytest.mark.parametrize("form", ["json", "xml"])
def test_an_event_is_one_that_is_read_again(form: str) -> None:
    sent = encode(EVENT, encoding=form, limit=LIMIT)
    found = became(sent.body, sent.content_type, sender_name="me", event_key="A/1/2")
    root = parse(found)
    assert {name: root.get(name) for name in ("topic", "sender", "key")} == {
        "topic": "1001.buoy-7",
        "sender": "me",
        "key": "A/1/2",
    }
    assert decode(found, XML, {}, limit=LIMIT) == EVENT


def test_an_event_of_a_class_that_is_not_loaded_is_published_whole() -> None:
    body = (
        b'{"format": "mds-aggregator-event", "version": 1, "message": {"type": 77001, '
        b'"name": "Strange", "typeVersion": 1, "fields": {"depth": 7, "note": "x"}}}'
    )
    sent = encode(EVENT, encoding="json", limit=LIMIT)
    assert b"Strange" not in became(sent.body, JSON)
    try:
        found = became(body, JSON)
    except EventUnreadable as error:
        pytest.fail(f"write this as the format has it: {error}: {sent.body!r}")
    assert b"Strange" in found
    assert b"depth" in found


@pytest.mark.parametrize("content_type", ["text/xml", "", "application/octet-stream"])
def test_xml_of_others_is_itself(content_type: str) -> None:
    assert became(b'<?xml version="1.0"?><a x="1"><b/></a>', content_type) == b'<a x="1"><b/></a>'


@pytest.mark.parametrize(
    ("body", "encoding", "text"),
    [
        (b"plain \xc3\xa4\n", "text", "plain ä\n"),
        (b'{"a": 1}', "text", '{"a": 1}'),
        (b"", "text", ""),
        (b"\x00\xff", "base64", "AP8="),
        (b"a\x01b", "base64", "YQFi"),
        (b"<a", "text", "<a"),
        (DOCTYPE.encode(), "text", DOCTYPE),
        (b"<a>" * 200, "text", "<a>" * 200),
    ],
)
def test_what_is_no_xml_is_wrapped(body: bytes, encoding: str, text: str) -> None:
    root = parse(became(body, "x/y\x00", message_type_id=10001))
    assert root.tag == "{urn:mds-aggregator:events}Raw"
    assert (root.get("encoding"), root.text or "") == (encoding, text)
    assert root.get("contentType") == "x/y\N{REPLACEMENT CHARACTER}"
    assert (root.get("messageType"), root.get("topic")) == ("10001", "1001.buoy-7")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff" * 9, b"<a/>", b'{"format": 1}'])
@pytest.mark.parametrize("content_type", [JSON, XML])
def test_what_only_claims_to_be_an_event_is_refused(body: bytes, content_type: str) -> None:
    with pytest.raises(EventUnreadable):
        became(body, content_type)


def test_what_xml_has_no_characters_for_is_refused() -> None:
    event = ResourceLifecycleEventPublisher.create_event(description="\x01")
    with pytest.raises(EventUnreadable, match="as XML"):
        became(encode(event, encoding="json", limit=LIMIT).body, JSON)


def test_what_is_too_large_is_refused() -> None:
    with pytest.raises(EventUnreadable, match="at most 100 are read"):
        became(b"x" * 101, "text/plain", limit=100)


def test_headers_of_strangers_are_bounded() -> None:
    headers = {"sender": "x" * 10_000, "other": "y" * 10_000, "event-key": {"a": ["b" * 10_000]}}
    delivery = Delivery(routing_key="1.a", body=b"", content_type="t" * 10_000, headers=headers)
    waiting = dumped(delivery)
    assert len(waiting) < 1500
    assert parse(document(waiting, limit=LIMIT)).get("sender") == "x" * 300
