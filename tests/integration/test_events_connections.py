"""Connections to RabbitMQ that break, hang, or can't be made."""

from __future__ import annotations

import threading
import time

import pytest

from aggregator.errors import BrokerUnavailable
from aggregator.events import (
    EventData,
    EventSubscriber,
    LifecycleState,
    ResourceLifecycleEventPublisher,
    SubscriberFactory,
    configure,
)
from aggregator.events.transport import amqp_link
from tests import events_kit
from tests.cut_proxy import CutProxy
from tests.events_kit import SOON, Inbox, amqp_url, directly, reconnections
from tests.waiting import until

system_on_amqp = events_kit.system_on_amqp
way = events_kit.way


@pytest.fixture
def system(system_on_amqp: str) -> str:
    return system_on_amqp


class TestBrokenConnections:
    """As they are after a restart of the broker, but that its queues are still there."""

    def test_a_subscriber_binds_again_by_itself(self, way: CutProxy, system: str) -> None:
        inbox, before = Inbox(), reconnections()
        with SubscriberFactory().build(handler=inbox):
            for round_ in range(3):
                way.cut()
                until(lambda: way.connections == 0, within=SOON)
                way.mend()
                until(lambda n=round_: reconnections() == before + n + 1, within=SOON)
                directly(f"round {round_}")
                assert inbox.described(1) == [f"round {round_}"]

    def test_a_subscriber_declares_all_of_it_again(self, way: CutProxy, system: str) -> None:
        """A restart leaves no exchange, queue and binding of those that don't outlive it."""
        inbox, before = Inbox(), reconnections()
        with SubscriberFactory(queue_name="q").build(handler=inbox):
            way.cut()
            events_kit.delete(f"{system}.events.topic", f"{system}.q")
            way.mend()
            until(lambda: reconnections() == before + 1, within=SOON)
            directly("after")
            assert inbox.described(1) == ["after"]

    def test_a_durable_queue_keeps_what_comes_meanwhile(self, way: CutProxy, system: str) -> None:
        inbox = Inbox()
        factory = SubscriberFactory(queue_name="kept", durable=True, auto_delete=False)
        try:
            with factory.build(handler=inbox):
                way.cut()
                directly("meanwhile")
                way.mend()
                assert inbox.described(1) == ["meanwhile"]
        finally:
            events_kit.delete(f"{system}.events.topic", f"{system}.kept")

    def test_an_event_whose_handler_was_at_work_comes_again(
        self, way: CutProxy, system: str
    ) -> None:
        """Its acknowledgement was lost, and the queue is there still."""
        arrived, goes_on, inbox = threading.Event(), threading.Event(), Inbox()

        def slow(data: EventData) -> None:
            arrived.set()
            goes_on.wait(SOON)
            inbox(data)

        factory = SubscriberFactory(queue_name="kept", auto_delete=False)
        try:
            with factory.build(handler=slow):
                directly("once")
                assert arrived.wait(SOON)
                way.break_off()
                goes_on.set()
                assert inbox.described(2) == ["once", "once"]
        finally:
            events_kit.delete(f"{system}.events.topic", f"{system}.kept")

    def test_a_publisher_connects_again(self, way: CutProxy, system: str) -> None:
        inbox = Inbox()
        publisher = ResourceLifecycleEventPublisher(origin="x")
        with SubscriberFactory(broker=amqp_url()).build(handler=inbox):
            publisher.create_and_publish_event(description="before")
            way.break_off()
            publisher.create_and_publish_event(description="after")
            assert inbox.described(2) == ["before", "after"]

    def test_a_publisher_waits_for_a_broker_that_comes_back_in_time(
        self, way: CutProxy, system: str
    ) -> None:
        inbox = Inbox()
        publisher = ResourceLifecycleEventPublisher(origin="x")
        with SubscriberFactory(broker=amqp_url()).build(handler=inbox):
            way.cut()
            mending = threading.Timer(0.5, way.mend)
            mending.start()
            publisher.create_and_publish_event(description="in the end")
            mending.join()
            assert inbox.described(1) == ["in the end"]

    def test_an_exchange_that_is_gone_is_declared_again(self, system: str) -> None:
        inbox = Inbox()
        publisher = ResourceLifecycleEventPublisher(origin="x")
        publisher.create_and_publish_event()
        events_kit.delete(publisher.xp_name)
        with SubscriberFactory().build(handler=inbox):
            publisher.create_and_publish_event(description="a")
            assert inbox.described(1) == ["a"]
        events_kit.delete(publisher.xp_name)
        publisher.create_and_publish_event()

    def test_a_silent_broker_is_noticed(
        self, way: CutProxy, system: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("aggregator.events.transport.amqp_subscription.HEARTBEAT", 1)
        inbox, before = Inbox(), reconnections()
        with SubscriberFactory().build(handler=inbox):
            way.stall()
            until(lambda: way.connections != 1, within=SOON, what="the connection is given up")
            way.cut()
            way.mend()
            until(lambda: reconnections() > before, within=SOON)
            directly("after")
            assert inbox.described(1) == ["after"]

    def test_a_slow_handler_loses_no_connection(
        self, system: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The broker ends a connection that is silent for two heartbeats; here that is 2 s."""
        monkeypatch.setattr("aggregator.events.transport.amqp_subscription.HEARTBEAT", 1)
        inbox, before = Inbox(), reconnections()

        def slow(data: EventData) -> None:
            if data.content.description == "slow":
                time.sleep(5)
            inbox(data)

        with SubscriberFactory(queue_name="q").build(handler=slow):
            directly("slow")
            directly("after")
            assert inbox.described(2) == ["slow", "after"]
            directly("more")
            assert inbox.described(1) == ["more"]
        assert reconnections() == before


class TestAway:
    def test_activating_fails_in_time(self, way: CutProxy, system: str) -> None:
        way.cut()
        configure(timeout=1.0)
        subscriber = EventSubscriber()
        subscriber.on_data = Inbox()
        began = time.monotonic()
        with pytest.raises(BrokerUnavailable, match=rf"binding a queue to \*\.#: .*{way.port}"):
            subscriber.activate()
        assert time.monotonic() - began < 5
        way.mend()
        subscriber.activate()
        subscriber.terminate()

    def test_activating_waits_for_a_broker_that_is_there_in_time(
        self, way: CutProxy, system: str
    ) -> None:
        way.cut()
        mending = threading.Timer(0.5, way.mend)
        mending.start()
        with SubscriberFactory().build(handler=Inbox()) as subscriber:
            assert subscriber.state is LifecycleState.ACTIVE
        mending.join()

    @pytest.mark.parametrize("trouble", ["cut", "stall"])
    def test_publishing_fails_in_time(self, way: CutProxy, system: str, trouble: str) -> None:
        configure(timeout=1.0)
        publisher = ResourceLifecycleEventPublisher(origin="x")
        for connected in (True, False):
            if connected:
                publisher.create_and_publish_event()
            getattr(way, trouble)()
            began = time.monotonic()
            with pytest.raises(BrokerUnavailable, match=r"publishing 1001\.x: amqp://127"):
                publisher.create_and_publish_event()
            assert time.monotonic() - began < 5

    @pytest.mark.parametrize("trouble", ["cut", "stall"])
    def test_terminating_ends_in_time(self, way: CutProxy, system: str, trouble: str) -> None:
        subscriber = SubscriberFactory().build(handler=Inbox())
        getattr(way, trouble)()
        began = time.monotonic()
        subscriber.terminate()
        subscriber.terminate()
        assert time.monotonic() - began < 8

    def test_terminating_waits_no_longer_than_it_may_for_a_handler(
        self, system: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        busy, goes_on = threading.Event(), threading.Event()

        def hanging(data: EventData) -> None:
            busy.set()
            goes_on.wait(60)

        configure(timeout=1.0)
        subscriber = SubscriberFactory().build(handler=hanging)
        directly("a")
        assert busy.wait(SOON)
        subscriber.terminate()
        goes_on.set()
        assert "has not returned in 1 s" in caplog.text


def test_waits_grow_and_differ() -> None:
    backoff = amqp_link.Backoff(first=1.0, most=4.0)
    waits = [backoff.wait() for _ in range(4)]
    for wait, limit in zip(waits, (1.0, 2.0, 4.0, 4.0), strict=True):
        assert limit / 2 <= wait <= limit
    assert len(set(waits)) == 4
    backoff.reset()
    assert backoff.wait() <= 1.0
