"""Messengers onto the event bus, and to consumers of WS-Notification."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from lxml import etree

from aggregator.errors import EventNotReady, MessageNotSent, MessageRefused, StreamRefused
from aggregator.events import DataBlockEventSubscriber, configure
from aggregator.streams import SqliteDataStreamer
from aggregator.streams.messengers.events import EventMessenger
from aggregator.streams.messengers.notification import NotificationMessenger
from aggregator.wire.dialects import GT4, OASIS, Dialect
from aggregator.wire.epr import EndpointReference
from tests import events_kit, notified, streams_kit
from tests.clients.own_schemas import check_against_ours
from tests.events_kit import Inbox
from tests.streams_kit import begin, store

system_on_each, way = events_kit.system_on_each, events_kit.way
system_on_amqp = events_kit.system_on_amqp


@pytest.fixture
def streamer() -> Iterator[SqliteDataStreamer]:
    with streams_kit.logging_to(":memory:") as made:
        yield made


def text_of(rows: list[list[Any]], userdata: Any) -> str:
    """A formatter for messengers of texts."""
    return " ".join(str(row[-1]) for row in rows)


def to_all(streamer: SqliteDataStreamer, **options: Any) -> None:
    streamer.stream(
        "logkey", "n1,n2", {"data"}, ["log", "ü,x\r\n"], 1, **({"formatter": text_of} | options)
    )


# The event bus.


def test_the_event_bus_carries_messages(system_on_each: str, streamer: SqliteDataStreamer) -> None:
    inbox = Inbox()
    subscriber = DataBlockEventSubscriber(origin="node7")
    subscriber.on_data = inbox
    with subscriber:
        messenger = EventMessenger("node7")
        to_all(streamer)
        ids = store(streamer, "a", "ü")
        streamer.do_updates(1, messenger)
        data = inbox.next()
        streamer.stop_stream("logkey")
        to_all(streamer, start="oldest")
        streamer.do_updates(2, messenger)
        again = inbox.next()
    event = data.content
    assert event.additional_data.data_block == "a ü"
    assert (event.origin, event.additional_data.dataset_id) == ("node7", "logkey")
    told = json.loads(event.body)
    assert told["rows"] == ids
    assert (told["nodes"], told["groups"], told["docks"]) == (
        ["n1", "n2"],
        ["data"],
        ["log", "ü,x"],
    )
    assert data.headers["event-key"] == told["id"] == again.headers["event-key"]


def test_a_broker_that_is_away_loses_nothing(way: Any, streamer: SqliteDataStreamer) -> None:
    configure(timeout=2.0)
    inbox = Inbox()
    subscriber = DataBlockEventSubscriber(origin="node7", broker=events_kit.amqp_url())
    subscriber.on_data = inbox
    with subscriber:
        messenger = EventMessenger("node7")
        begin(streamer, formatter=text_of, period=1)
        store(streamer, "a")
        streamer.do_updates(1, messenger)
        assert inbox.next().content.additional_data.data_block == "a"
        way.cut()
        store(streamer, "b")
        streamer.do_updates(2, messenger)
        assert streamer.status()[0].failures == 1
        way.mend()
        streamer.do_updates(4, messenger)
        assert inbox.next().content.additional_data.data_block == "b"


def test_an_event_that_can_not_be_is_refused(system_on_amqp: str) -> None:
    messenger = EventMessenger("node7")
    for message in ("x" * 2**21, b"\xff", {"a": 1}):
        with pytest.raises(MessageRefused):
            messenger.send(message, None, None, None)
    with pytest.raises(EventNotReady):
        EventMessenger("")


# WS-Notification.


@pytest.mark.parametrize("dialect", [OASIS, GT4], ids=lambda dialect: dialect.name)
def test_a_consumer_is_notified(dialect: Dialect, streamer: SqliteDataStreamer) -> None:
    statuses = iter([503, 202, 202])
    with notified.consumer() as consumer:
        consumer.respond = lambda body: next(statuses)
        reference = EndpointReference(
            consumer.url, parameters=(b'<k:Key xmlns:k="urn:k">7</k:Key>',), wsa=dialect.wsa
        )
        messenger = NotificationMessenger(reference)
        to_all(streamer)
        ids = store(streamer, "a <b>", "c & d")
        streamer.do_updates(1, messenger)
        assert streamer.status()[0].failures == 1
        streamer.do_updates(2, messenger)
        store(streamer, "e")
        streamer.do_updates(3, messenger)
        first, second = consumer.messages()
        assert [first.get("id"), second.get("id")] == consumer.ids()
        envelope = etree.fromstring(consumer.bodies[0])
    assert first.tag == "{urn:mds-aggregator:streams}StreamMessage"
    assert first.findtext("{*}Payload") == "a <b> c & d"
    assert [one.text for one in first.iterfind("{*}Row")] == ids
    assert [one.text for one in first.iterfind("{*}Node")] == ["n1", "n2"]
    assert [one.text for one in first.iterfind("{*}Group")] == ["data"]
    assert first.get("table") == "logkey"
    assert envelope.findtext("{*}Header/{urn:k}Key") == "7"
    topic = envelope.find(".//{*}Topic")
    assert topic.text.endswith(":logkey")
    assert topic.nsmap[topic.text.partition(":")[0]] == "urn:mds-aggregator:streams"
    check_against_ours(first)
    check_against_ours(envelope.find("{*}Body")[0])


@pytest.mark.parametrize("payload", [b"\0\xff", "a\x01b", "line\r\nline", "\ufffe"])
def test_what_xml_can_not_hold_goes_as_base64(payload: str | bytes) -> None:
    with notified.consumer() as consumer:
        NotificationMessenger(consumer.url).send(payload, None, None, None)
        (message,) = consumer.messages()
    (element,) = message.iterfind("{*}Payload")
    assert element.get("encoding") == "base64"
    sent = payload.encode() if isinstance(payload, str) else payload
    assert base64.b64decode(element.text) == sent
    check_against_ours(message)


@pytest.mark.parametrize(("status", "error"), [(400, MessageRefused), (500, MessageNotSent)])
def test_a_consumer_that_refuses_is_told_from_one_in_trouble(status: int, error: type) -> None:
    with notified.consumer() as consumer:
        consumer.respond = lambda body: status
        with pytest.raises(MessageNotSent, match=f"HTTP status {status}") as raised:
            NotificationMessenger(consumer.url).send("x", None, None, None)
    assert type(raised.value) is error


def test_a_consumer_that_is_none_is_refused() -> None:
    for address in ("", "urn:x", "ftp://host/"):
        with pytest.raises(StreamRefused, match="is no address"):
            NotificationMessenger(address)
