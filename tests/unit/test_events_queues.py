"""Subscribers bind what they are told to, on queues that are named after their system."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from aggregator.events import (
    ContainerLifecycleEventPublisher,
    DataBlockEventPublisher,
    DataBlockEventSubscriber,
    EventData,
    EventSubscriber,
    InstrumentSampleDataEventPublisher,
    LifecycleState,
    ResourceLifecycleEventPublisher,
    ResourceLifecycleEventSubscriber,
    SubscriberFactory,
)
from tests import events_kit
from tests.events_kit import (
    SOON,
    CompassEventSubscriber,
    Inbox,
)

system = events_kit.system


def publish(description: str, *, origin: str = "x") -> None:
    ResourceLifecycleEventPublisher(origin=origin).create_and_publish_event(description=description)


class TestBindings:
    @pytest.mark.parametrize(
        ("given", "pattern"),
        [
            ({}, "1001.#"),
            ({"origin": "ucsd"}, "1001.ucsd"),
            ({"event_id": 1052}, "1052.#"),
            ({"event_id": 1052, "origin": "a.b"}, "1052.a.b"),
            ({"binding_key": "#.x", "origin": "y"}, "#.x"),
        ],
    )
    def test_are_made_of_what_is_given(self, given: dict[str, Any], pattern: str) -> None:
        assert ResourceLifecycleEventSubscriber(**given).binding_key == pattern

    def test_of_a_base_class_are_not_those_of_its_derived_ones(self, system: str) -> None:
        inbox = Inbox()
        factory = SubscriberFactory(subscriber_type=ResourceLifecycleEventSubscriber)
        with factory.build(handler=inbox):
            ContainerLifecycleEventPublisher(origin="x").create_and_publish_event(description="no")
            publish("yes")
            assert inbox.described(1) == ["yes"]

    def test_of_one_id_get_both_kinds(self, system: str) -> None:
        inbox = Inbox()
        with SubscriberFactory(subscriber_type=DataBlockEventSubscriber).build(handler=inbox):
            DataBlockEventPublisher(origin="x").create_and_publish_event(data_block="b")
            InstrumentSampleDataEventPublisher(origin="x").create_and_publish_event(salinity=3.5)
            assert inbox.next().content.data_block == "b"
            assert inbox.next().content.salinity == 3.5

    def test_keep_systems_apart(self, system: str) -> None:
        inbox = Inbox()
        with SubscriberFactory(handler=inbox).build():
            ResourceLifecycleEventPublisher(
                origin="x", sys_name=f"other{system}"
            ).create_and_publish_event(description="theirs")
            publish("ours")
            assert inbox.described(1) == ["ours"]


class TestQueues:
    def test_are_named_after_the_system_with_a_warning(
        self, system: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert EventSubscriber(queue_name="q").queue_name == f"{system}.q"
        assert "is named" in caplog.text
        caplog.clear()
        assert EventSubscriber(queue_name=f"{system}q").queue_name == f"{system}q"
        assert EventSubscriber().queue_name == ""
        assert caplog.text == ""

    @pytest.mark.parametrize("given", [{"durable": True}, {"auto_delete": False}])
    def test_that_are_to_be_kept_need_a_name(
        self, system: str, given: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.WARNING)
        EventSubscriber(queue_name=f"{system}.q", **given)
        assert caplog.text == ""
        EventSubscriber(**given)
        assert "without a name is not kept" in caplog.text

    def test_hold_a_limited_number_in_memory(
        self, system: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("aggregator.events.transport.memory.MOST", 2)
        inbox, goes_on, busy = Inbox(), threading.Event(), threading.Event()

        def slow(data: EventData) -> None:
            busy.set()
            goes_on.wait(SOON)
            inbox(data)

        with SubscriberFactory(handler=slow).build():
            publish("a")
            assert busy.wait(SOON)
            for description in "bcd":
                publish(description)
            goes_on.set()
            assert inbox.described(3) == ["a", "c", "d"]


class TestFactory:
    def test_builds_what_it_is_told(self, system: str) -> None:
        inbox = Inbox()
        factory = SubscriberFactory(subscriber_type=EventSubscriber, process="p")
        subscriber = factory.build(
            handler=inbox, event_id=1051, origin="ucsd", queue_name=f"{system}.q"
        )
        try:
            assert subscriber.binding_key == "1051.ucsd"
            assert subscriber.queue_name == f"{system}.q"
            assert subscriber.process == "p"
            assert subscriber.state is LifecycleState.ACTIVE
        finally:
            subscriber.terminate()

    def test_builds_another_type_when_told(self, system: str) -> None:
        made = SubscriberFactory(handler=Inbox()).build(subscriber_type=CompassEventSubscriber)
        assert isinstance(made, CompassEventSubscriber)
        made.terminate()

    def test_attaches_the_handler_before_anything_is_delivered(self, system: str) -> None:
        """Messages wait in the queue already when the subscriber is built."""
        first = SubscriberFactory(handler=Inbox()).build(queue_name="q", auto_delete=False)
        first.terminate()
        publish("waiting")
        inbox = Inbox()
        with SubscriberFactory().build(handler=inbox, queue_name="q", auto_delete=False):
            assert inbox.described(1) == ["waiting"]
