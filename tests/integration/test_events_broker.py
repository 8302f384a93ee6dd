"""Events through RabbitMQ: between processes, through broken connections, with a broker away."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import kombu
import pytest

from aggregator.errors import BrokerRefused, BrokerUnavailable
from aggregator.events import (
    EventData,
    EventPublisher,
    EventSubscriber,
    ResourceLifecycleEventPublisher,
    SubscriberFactory,
    configure,
    metrics,
)
from aggregator.events.transport import amqp_link, connect
from tests import events_kit
from tests.cut_proxy import CutProxy
from tests.events_kit import SOON, Inbox, amqp_url
from tests.integration.events_process import started
from tests.waiting import until

system_on_amqp = events_kit.system_on_amqp


@pytest.fixture
def system(system_on_amqp: str) -> str:
    return system_on_amqp


@pytest.fixture
def way(system: str) -> Iterator[CutProxy]:
    """The way to the broker, which the subscribers and publishers of the test take."""
    with kombu.Connection(amqp_url()) as real:
        proxy = CutProxy(real.hostname or "localhost", int(real.port or 5672))
    configure(broker=proxy.url(amqp_url()))
    yield proxy
    proxy.mend()


def directly(description: str) -> None:
    """Publish, not by the way that the test may have cut."""
    ResourceLifecycleEventPublisher(origin="x", broker=amqp_url()).create_and_publish_event(
        description=description
    )


class TestProcesses:
    def test_one_publishes_another_receives(self, system: str) -> None:
        receiving = started("receive", system, amqp_url(), "")
        try:
            assert receiving.stdout is not None
            assert receiving.stdout.readline() == "ready\n"
            publishing = started("publish", system, amqp_url(), "ucsd", "50")
            assert [receiving.stdout.readline() for _ in range(50)] == [f"{n}\n" for n in range(50)]
            publishing.communicate(timeout=SOON)
            assert publishing.returncode == 0
        finally:
            receiving.kill()
            receiving.communicate()

    def test_two_share_a_queue_and_what_one_had_not_handled_goes_to_the_other(
        self, system: str
    ) -> None:
        stuck, inbox = threading.Event(), Inbox()
        receiving = started("receive", system, amqp_url(), "shared")
        try:
            assert receiving.stdout is not None
            assert receiving.stdout.readline() == "ready\n"
            with SubscriberFactory(queue_name="shared").build(handler=inbox):
                for number in range(20):
                    directly(str(number))
                theirs = [receiving.stdout.readline().strip() for _ in range(10)]
                assert sorted(inbox.described(10) + theirs, key=int) == [str(n) for n in range(20)]
                receiving.kill()
                receiving.wait()
                for number in range(20, 30):
                    directly(str(number))
                assert inbox.described(10) == [str(n) for n in range(20, 30)]
        finally:
            stuck.set()
            receiving.kill()
            receiving.communicate()

    def test_one_that_forks_publishes_on_a_connection_of_its_own(self, system: str) -> None:
        inbox = Inbox()
        with SubscriberFactory().build(handler=inbox):
            publisher = ResourceLifecycleEventPublisher(origin="x")
            publisher.create_and_publish_event(description="parent")
            child = os.fork()
            if child == 0:
                try:
                    publisher.create_and_publish_event(description="child")
                finally:
                    os._exit(0)
            os.waitpid(child, 0)
            publisher.create_and_publish_event(description="parent again")
            assert inbox.described(3) == ["parent", "child", "parent again"]


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
        with SubscriberFactory().build(handler=Inbox()):
            pass
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


class TestRefusals:
    def test_of_a_password(self, system: str) -> None:
        with kombu.Connection(amqp_url()) as real:
            wrong = f"amqp://nobody:secret@{real.hostname}:{real.port}//"
        configure(broker=wrong)
        for trying in (
            lambda: SubscriberFactory().build(handler=Inbox()),
            lambda: ResourceLifecycleEventPublisher(origin="x").create_and_publish_event(),
        ):
            with pytest.raises(BrokerRefused) as refused:
                trying()
            assert "secret" not in str(refused.value)

    def test_of_a_queue_that_is_there_with_other_properties(self, system: str) -> None:
        with SubscriberFactory(queue_name="q").build(handler=Inbox()):
            other: Any = SubscriberFactory(queue_name="q", auto_delete=False)
            with pytest.raises(BrokerRefused, match="auto_delete"):
                other.build(handler=Inbox())

    def test_of_an_exchange_that_is_there_with_other_properties(self, system: str) -> None:
        ResourceLifecycleEventPublisher(origin="x").create_and_publish_event()
        configure(durable=True)
        with pytest.raises(BrokerRefused, match="durable"):
            ResourceLifecycleEventPublisher(origin="x").create_and_publish_event()


def test_publishing_with_nobody_listening_is_counted_so(system: str) -> None:
    def unheard() -> float:
        return metrics.PUBLISHED.labels("unheard")._value.get()

    before = unheard()
    publisher: EventPublisher = ResourceLifecycleEventPublisher(origin="x")
    publisher.create_and_publish_event()
    assert unheard() == before + 1
    with SubscriberFactory().build(handler=Inbox()):
        publisher.create_and_publish_event()
    assert unheard() == before + 1


def test_threads_publish_at_the_same_time(system: str) -> None:
    inbox = Inbox()
    with SubscriberFactory().build(handler=inbox):
        publisher = ResourceLifecycleEventPublisher(origin="x")
        threads = [
            threading.Thread(
                target=lambda n=number: [
                    publisher.create_and_publish_event(description=f"{n}.{count}")
                    for count in range(20)
                ]
            )
            for number in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = inbox.described(100)
    assert sorted(found) == sorted(f"{n}.{count}" for n in range(5) for count in range(20))


def test_events_are_written_to_disk_where_their_queue_is(system: str) -> None:
    """What a restart of the broker leaves in a durable queue are its persistent messages."""
    name = f"{system}.q"
    factory = SubscriberFactory(queue_name="q", durable=True, auto_delete=False)
    factory.build(handler=Inbox()).terminate()
    try:
        directly("a")
        with kombu.Connection(amqp_url()) as connection:
            message = until(lambda: connection.channel().basic_get(name), within=SOON)
            assert message.properties["delivery_mode"] == 2
    finally:
        events_kit.delete(f"{system}.events.topic", name)


def test_a_broker_is_connected_to_once_for_all_that_is_published(
    way: CutProxy, system: str
) -> None:
    for origin in ("a", "b", "c"):
        ResourceLifecycleEventPublisher(origin=origin).create_and_publish_event()
    assert way.connections == 1
    connect(way.url(amqp_url())).close()
    until(lambda: way.connections == 0, within=SOON)


def test_waits_grow_and_differ() -> None:
    backoff = amqp_link.Backoff(first=1.0, most=4.0)
    waits = [backoff.wait() for _ in range(4)]
    for wait, limit in zip(waits, (1.0, 2.0, 4.0, 4.0), strict=True):
        assert limit / 2 <= wait <= limit
    assert len(set(waits)) == 4
    backoff.reset()
    assert backoff.wait() <= 1.0


def reconnections() -> float:
    return metrics.RECONNECTED._value.get()
