"""Subscribers receive by the rules of the original."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from aggregator.errors import BrokerRefused, EventNotReady
from aggregator.events import (
    DatasetStreamingEventSubscriber,
    EventData,
    EventSubscriber,
    RawMessage,
    ResourceLifecycleEventPublisher,
    SubscriberFactory,
    configure,
)
from tests import events_kit
from tests.events_kit import (
    CompassEventMessage,
    CompassEventPublisher,
    CompassEventSubscriber,
    Inbox,
)

system = events_kit.system


def publish(description: str, *, origin: str = "x") -> None:
    ResourceLifecycleEventPublisher(origin=origin).create_and_publish_event(description=description)


class TestHandlers:
    @pytest.mark.parametrize("name", ["on_data", "ondata"])
    def test_are_assigned_under_either_name(self, system: str, name: str) -> None:
        inbox, subscriber = Inbox(), EventSubscriber()
        setattr(subscriber, name, inbox)
        assert subscriber.on_data is subscriber.ondata is inbox
        with subscriber:
            publish("a")
            assert inbox.described(1) == ["a"]

    @pytest.mark.parametrize("name", ["on_data", "ondata"])
    def test_may_be_a_method_of_a_derived_class(self, system: str, name: str) -> None:
        inbox = Inbox()
        derived = type("Mine", (EventSubscriber,), {name: lambda self, data: inbox(data)})
        with derived():
            publish("a")
            assert inbox.described(1) == ["a"]

    def test_are_given_data_with_the_event_as_content(self, system: str) -> None:
        inbox = Inbox()
        with SubscriberFactory(handler=inbox).build():
            publish("a")
            data = inbox.next()
        assert data["content"] is data.content
        assert data["routing_key"] == "1001.x"
        with pytest.raises(KeyError):
            data["nonsense"]

    def test_are_needed(self, system: str) -> None:
        subscriber = EventSubscriber()
        with pytest.raises(EventNotReady, match="assign on_data"):
            subscriber.activate()
        subscriber.on_data = Inbox()
        subscriber.activate()
        subscriber.terminate()

    @pytest.mark.parametrize("error", [ValueError("mine"), SystemExit(3)])
    def test_that_raise_end_nothing(
        self, system: str, error: BaseException, caplog: pytest.LogCaptureFixture
    ) -> None:
        inbox = Inbox()

        def failing(data: EventData) -> None:
            inbox(data)
            raise error

        with SubscriberFactory(handler=failing).build():
            publish("a")
            publish("b")
            assert inbox.described(2) == ["a", "b"]
        assert "The handler of *.# failed" in caplog.text


class TestLifecycle:
    def test_goes_step_by_step(self, system: str) -> None:
        subscriber = EventSubscriber()
        subscriber.on_data = Inbox()
        states = [subscriber.state]
        for step in (subscriber.initialize, subscriber.activate, subscriber.terminate):
            step()
            step()
            states.append(subscriber.state)
        assert [state.value for state in states] == ["new", "ready", "active", "terminated"]
        with pytest.raises(EventNotReady):
            subscriber.activate()

    @pytest.mark.parametrize("calls_super", [True, False])
    def test_has_an_on_activate_to_override(self, system: str, calls_super: bool) -> None:
        inbox = Inbox()

        class Mine(EventSubscriber):
            def on_activate(self, *args: Any, **kwargs: Any) -> None:
                self.given = (args, kwargs)
                self.on_data = inbox
                if calls_super:
                    super().on_activate(*args, **kwargs)

        subscriber = Mine()
        subscriber.activate(1, two=2)
        assert subscriber.given == ((1,), {"two": 2})
        publish("a")
        assert inbox.described(1) == ["a"]
        subscriber.terminate()
        assert inbox.arrived.empty()

    def test_ends_what_is_delivered(self, system: str) -> None:
        first, second = Inbox(), Inbox()
        ended = SubscriberFactory(handler=first).build()
        with SubscriberFactory(handler=second).build():
            ended.terminate()
            ended.terminate()
            publish("a")
            assert second.described(1) == ["a"]
        assert first.arrived.empty()

    def test_unsubscribe_is_what_it_always_was(
        self, system: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        EventSubscriber().unsubscribe()
        assert "not implemented" in caplog.text


def test_classes_of_ones_own_work_unchanged(system: str) -> None:
    inbox = Inbox()
    with SubscriberFactory(subscriber_type=CompassEventSubscriber).build(handler=inbox):
        CompassEventPublisher(origin="bridge").create_and_publish_event(
            direction=CompassEventPublisher.Direction.SOUTH, description="d"
        )
        content = inbox.next().content
    assert content.additional_data == CompassEventMessage(direction="SOUTH")
    assert content.additional_data.direction is CompassEventMessage.Direction.SOUTH


@pytest.mark.parametrize("type_id", [10001, 2001, 2005])
def test_streaming_events_are_raw(system: str, type_id: int) -> None:
    class Agent(CompassEventPublisher):
        event_id = 1116

    inbox, body = Inbox(), bytes(range(256))
    with SubscriberFactory(subscriber_type=DatasetStreamingEventSubscriber).build(handler=inbox):
        Agent(origin="dataset").publish_event(RawMessage(body, type_id))
        content = inbox.next().content
    assert (content.type_id, content.body) == (type_id, body)


def test_what_cannot_be_read_is_told_and_left(
    system: str, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = Inbox()
    with SubscriberFactory(handler=inbox).build():
        spoilt = RawMessage(b"{", 1, "application/vnd.mds-aggregator.event+json")
        CompassEventPublisher(origin="x").publish_event(spoilt)
        publish("after")
        assert inbox.described(1) == ["after"]
    assert "A message of '9001.x' can't be read" in caplog.text


@pytest.mark.parametrize("broker", ["http://h", "localhost", "redis://h"])
def test_a_broker_of_no_kind_that_is_known_is_refused(system: str, broker: str) -> None:
    configure(broker=broker)
    with pytest.raises(BrokerRefused, match="known are memory://, amqp://, amqps://"):
        publish("a")


def test_without_a_broker_its_library_is_not_loaded() -> None:
    code = (
        "import sys, aggregator.events as e\n"
        "e.ResourceLifecycleEventPublisher(origin='x').create_and_publish_event()\n"
        "sys.exit('kombu' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
