"""What arrives and is no event is refused, whatever it is; what can't be sent is not."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.errors import EventUnreadable, EventUnwritable
from aggregator.events import (
    ContainerStartupEventMessage,
    EventMessage,
    Message,
    TriggerEventMessage,
)
from aggregator.events.encoding import decode, encode
from tests.events_forms import FORMATS, LIMIT, each_format, read_json, read_xml, through


def envelope(type_id: Any, fields: Any) -> dict[str, Any]:
    message = {"type": type_id, "type_version": 1, "name": "M", "fields": fields}
    return {"format": "mds-aggregator-event", "version": 1, "message": message}


def nested(depth: int) -> dict[str, Any]:
    document = envelope(2324, {})
    for _ in range(depth):
        document = envelope(2324, {"payload": document["message"]})
    return document


def test_links_may_be_sixteen_deep() -> None:
    assert read_json(nested(16)).payload.payload
    with pytest.raises(EventUnreadable, match="16 deep"):
        read_json(nested(17))


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{" * 100_000,
        b"[" * 500_000,
        b'{"format": "mds-aggregator-event", "version": 1}',
        b'{"format": "mds-aggregator-event", "version": 1, "message": NaN}',
        {"format": "other", "version": 1, "message": {}},
        envelope("2323", {}),
        envelope(True, {}),
        envelope(2323, []),
        envelope(2322, {"name": 5}),
        envelope(2322, {"name": True}),
        envelope(2322, {"name": {"number": "1"}}),
        envelope(2322, {"name": {"number": 1, "name": 2}}),
        envelope(2322, {"name": {"number": 1, "name": "X"}}),
        envelope(2322, {"name": {"double": "seven"}}),
        envelope(2322, {"name": {"double": []}}),
        envelope(2322, {"name": "\ud800"}),
        envelope(2322, {"datetime": 10**400}),
        envelope(2322, {"additional_data": "text"}),
        envelope(
            2322, {"additional_data": {"type": 2323, "fields": {"state": "ACTIVE", "x": True}}}
        ),
        envelope(2331, {"number_of_timesteps": 2**31}),
        envelope(2333, {"startup_names": ["a", 1]}),
        envelope(2333, {"startup_names": "a"}),
    ],
)
def test_json_that_is_no_event_is_refused(document: Any) -> None:
    with pytest.raises(EventUnreadable):
        read_json(document)


def event_xml(content: str) -> str:
    return f'<Event xmlns="urn:mds-aggregator:events" version="1">{content}</Event>'


@pytest.mark.parametrize(
    "document",
    [
        "",
        "<Event/>",
        "<!DOCTYPE x [<!ENTITY a 'b'>]>" + event_xml('<Message type="2322"/>'),
        event_xml(""),
        event_xml("<Message/>"),
        event_xml('<Message type="2322"/><Message type="2322"/>'),
        event_xml('<Message type="x"/>'),
        event_xml('<Message type="2_3"/>'),
        event_xml('<Message type="2322"><Field name="name" kind="odd"/></Message>'),
        event_xml(
            '<Message type="2322"><Field name="datetime" kind="double">1_0</Field></Message>'
        ),
        event_xml('<Message type="2322"><Field name="datetime" kind="double"/></Message>'),
        event_xml('<Message type="2322"><Field name="status" kind="enum">ERROR</Field></Message>'),
        event_xml('<Message type="2322"><Field name="name" kind="int">1</Field></Message>'),
        event_xml(
            f'<Message type="2331"><Field name="x" kind="int">{"9" * 5000}</Field></Message>'
        ),
        event_xml('<Message type="2324"><Field name="payload" kind="message"/></Message>'),
        event_xml("<a>" * 200 + "</a>" * 200),
        event_xml("<a/>" * 60_000),
    ],
)
def test_xml_that_is_no_event_is_refused(document: str) -> None:
    with pytest.raises(EventUnreadable):
        read_xml(document)


@given(st.binary(max_size=200) | st.text(string.printable, max_size=200).map(str.encode))
def test_no_bytes_do_harm(body: bytes) -> None:
    for content_type in FORMATS.values():
        with pytest.raises(EventUnreadable):
            decode(body, content_type, {}, limit=LIMIT)


@each_format
def test_neither_sent_nor_read_is_more_than_may_be(form: str) -> None:
    sent = encode(EventMessage(body="x" * 1000), encoding=form, limit=LIMIT)
    with pytest.raises(EventUnreadable, match=f"{len(sent.body)} bytes; at most 1000"):
        decode(sent.body, sent.content_type, {}, limit=1000)
    with pytest.raises(EventUnwritable, match=f"{len(sent.body)} bytes; at most 1000"):
        encode(EventMessage(body="x" * 1000), encoding=form, limit=1000)


class TestUnwritable:
    def test_is_a_message_in_itself(self) -> None:
        trigger = TriggerEventMessage()
        trigger.payload = trigger
        with pytest.raises(EventUnwritable, match="in a ring"):
            encode(trigger, limit=LIMIT)

    def test_is_one_without_a_type(self) -> None:
        with pytest.raises(EventUnwritable, match="no type_id"):
            encode(Message(), limit=LIMIT)

    def test_are_characters_that_xml_lacks(self) -> None:
        event = EventMessage(name="\x00")
        assert through(event, "json") == event
        with pytest.raises(EventUnwritable, match="JSON can"):
            encode(event, encoding="xml", limit=LIMIT)

    @each_format
    def test_is_what_is_no_text_in_a_list(self, form: str) -> None:
        message = ContainerStartupEventMessage()
        message.startup_names.append(7)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="startup_names holds a list of texts"):
            encode(message, encoding=form, limit=LIMIT)
