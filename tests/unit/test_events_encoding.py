"""Events are written as JSON and XML and read back as they were; nothing that arrives does harm."""

from __future__ import annotations

import json
import math
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from aggregator.errors import EventUnreadable, EventUnwritable
from aggregator.events import (
    ContainerStartupEventMessage,
    DatasetSupplementAddedEventMessage,
    EventMessage,
    InstrumentSampleData,
    Message,
    RawMessage,
    ResourceLifecycleEventMessage,
    TriggerEventMessage,
    UnknownEnum,
    UnknownMessage,
    json_format,
    xml_format,
)
from aggregator.events.encoding import decode, encode

LIMIT = 1024 * 1024
FORMATS = {"json": json_format.CONTENT_TYPE, "xml": xml_format.CONTENT_TYPE}
each_format = pytest.mark.parametrize("form", FORMATS)

#: Characters that XML has, too.
texts = st.text(
    st.characters(codec="utf-8", exclude_characters="\ufffe\uffff", exclude_categories=["Cc"])
    | st.sampled_from("\t\n\r")
)
doubles = st.floats(allow_nan=False)
samples = st.builds(
    InstrumentSampleData, temperature=doubles, pressure=st.none() | doubles, time=texts
)
supplements = st.builds(
    DatasetSupplementAddedEventMessage,
    title=texts,
    start_datetime_millis=st.integers(-(2**63), 2**63 - 1),
)
additional = st.one_of(
    samples,
    supplements,
    st.builds(ResourceLifecycleEventMessage, state=st.integers(1, 5)),
    st.builds(ContainerStartupEventMessage, startup_names=st.lists(texts)),
)
events = st.builds(
    EventMessage,
    name=st.none() | texts,
    body=texts,
    datetime=doubles,
    status=st.none() | st.integers(1, 4),
    additional_data=additional | st.builds(TriggerEventMessage, payload=additional),
)


def through(message: Message | RawMessage, form: str) -> Any:
    sent = encode(message, encoding=form, limit=LIMIT)
    return decode(sent.body, sent.content_type, sent.headers, limit=LIMIT)


def read_json(document: Any) -> Any:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return decode(body, json_format.CONTENT_TYPE, {}, limit=LIMIT)


def read_xml(body: str) -> Any:
    return decode(body.encode(), xml_format.CONTENT_TYPE, {}, limit=LIMIT)


@each_format
@given(event=events)
def test_what_is_read_is_what_was_written(form: str, event: EventMessage) -> None:
    assert through(event, form) == event


@each_format
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.1, -0.0, 5e-324])
def test_every_double_arrives_as_it_is(form: str, value: float) -> None:
    found = through(InstrumentSampleData(salinity=value), form).salinity
    assert repr(found) == repr(value)


def test_the_documents_are_plain_to_any_reader() -> None:
    event = EventMessage(
        status="ERROR",
        datetime=1.5,
        additional_data=ContainerStartupEventMessage(startup_names=["a"]),
    )
    sent = encode(event, encoding="json", limit=LIMIT)
    assert sent.headers == {"message-type-id": 2322}
    assert json.loads(sent.body) == {
        "format": "mds-aggregator-event",
        "version": 1,
        "message": {
            "type": 2322,
            "type_version": 1,
            "name": "EventMessage",
            "fields": {
                "status": {"number": 3, "name": "ERROR"},
                "datetime": 1.5,
                "additional_data": {
                    "type": 2333,
                    "type_version": 1,
                    "name": "ContainerStartupEventMessage",
                    "fields": {"startup_names": ["a"]},
                },
            },
        },
    }
    root = etree.fromstring(encode(event, encoding="xml", limit=LIMIT).body)
    e = {"e": "urn:mds-aggregator:events"}
    assert (
        root.xpath("string(/e:Event/e:Message/e:Field[@name='status']/@number)", namespaces=e)
        == "3"
    )
    inner = "/e:Event/e:Message/e:Field/e:Message[@type=2333]/e:Field/e:Item/text()"
    assert root.xpath(inner, namespaces=e) == ["a"]


@each_format
class TestUnknownTypes:
    def message(self) -> UnknownMessage:
        values = {
            "state": UnknownEnum(7, "LOST"),
            "note": "n",
            "count": 3,
            "share": 0.5,
            "names": ["a", "b"],
            "inner": ResourceLifecycleEventMessage(state="NEW"),
            "type_id": "shadowed",
        }
        return UnknownMessage(98_765, type_version=4, name="TheirMessage", values=values)

    def test_arrive_with_all_they_say(self, form: str) -> None:
        found = through(EventMessage(additional_data=self.message()), form).additional_data
        assert found == self.message()
        assert (found.type_id, found.type_version, found.state.name) == (98_765, 4, "LOST")
        with pytest.raises(AttributeError):
            _ = found.nonsense
        with pytest.raises(AttributeError):
            found.note = "other"

    def test_are_sent_on_as_they_came(self, form: str) -> None:
        sent = encode(self.message(), encoding=form, limit=LIMIT)
        assert (
            encode(
                decode(sent.body, sent.content_type, {}, limit=LIMIT), encoding=form, limit=LIMIT
            )
            == sent
        )


class TestLaterVersions:
    def test_of_a_type_may_have_more_fields_and_members(self) -> None:
        found = read_json(
            envelope(2323, {"state": {"number": 9, "name": "ASLEEP"}, "since": "yesterday"})
        )
        assert found == ResourceLifecycleEventMessage()

    def test_of_the_document_are_refused(self) -> None:
        with pytest.raises(EventUnreadable, match="version 2; 1 is read here"):
            read_json({**envelope(2323, {}), "version": 2})
        with pytest.raises(EventUnreadable, match="version '2'; 1 is read here"):
            read_xml('<Event xmlns="urn:mds-aggregator:events" version="2"/>')


@pytest.mark.parametrize(
    ("content_type", "headers", "type_id"),
    [
        ("application/octet-stream", {"message-type-id": 10001}, 10001),
        ("application/octet-stream", {"message-type-id": "2005"}, 2005),
        ("application/json", {}, None),
        ("", {"message-type-id": True}, None),
        ("text/xml", {"message-type-id": "9" * 5000}, None),
        ("text/plain", {"message-type-id": b"\xff"}, None),
    ],
)
def test_what_is_not_ours_stays_raw(
    content_type: str, headers: dict[str, Any], type_id: int | None
) -> None:
    body = b"\x00\xff{<"
    found = decode(body, content_type, headers, limit=LIMIT)
    assert found == RawMessage(body, type_id, content_type)


def test_parameters_of_a_content_type_do_not_matter() -> None:
    sent = encode(EventMessage(name="n"), limit=LIMIT)
    content_type = f"{sent.content_type.upper()} ; charset=utf-8"
    assert decode(sent.body, content_type, {}, limit=LIMIT) == EventMessage(name="n")


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


def test_xml_of_people_is_read() -> None:
    found = read_xml(
        event_xml(
            """
            <Message type="2322"><!-- by hand -->
              <Field name="name">  spaced </Field>
              <Field name="datetime" kind="double"> INF </Field>
              <Field name="status" kind="enum" number=" 2 "> CACHED </Field>
            </Message>"""
        )
    )
    assert found == EventMessage(name="  spaced ", datetime=math.inf, status=2)


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
