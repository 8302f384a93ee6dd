"""Events are written as JSON and XML and read back as they were; nothing that arrives does harm."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from aggregator.errors import EventUnreadable
from aggregator.events import (
    ContainerStartupEventMessage,
    DatasetSupplementAddedEventMessage,
    EventMessage,
    InstrumentSampleData,
    RawMessage,
    ResourceLifecycleEventMessage,
    TriggerEventMessage,
    UnknownEnum,
    UnknownMessage,
)
from aggregator.events.encoding import decode, encode
from tests.events_forms import LIMIT, each_format, read_json, read_xml, through

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


def event_xml(content: str) -> str:
    return f'<Event xmlns="urn:mds-aggregator:events" version="1">{content}</Event>'


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
