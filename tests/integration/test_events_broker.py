"""Events through RabbitMQ: between processes, through broken connections, with a broker away."""

from __future__ import annotations

import os
import threading
from typing import Any

import kombu
import pytest

from aggregator.errors import BrokerRefused
from aggregator.events import (
    EventPublisher,
    ResourceLifecycleEventPublisher,
    SubscriberFactory,
    configure,
    metrics,
)
from aggregator.events.transport import connect
from tests import events_kit
from tests.cut_proxy import CutProxy
from tests.events_kit import SOON, Inbox, amqp_url, directly
from tests.integration.events_process import started
from tests.waiting import until

system_on_amqp = events_kit.system_on_amqp
way = events_kit.way


@pytest.fixture
def system(system_on_amqp: str) -> str:
    return system_on_amqp


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

    def test_two_share_a_queue_and_one_has_it_alone_when_the_other_dies(self, system: str) -> None:
        inbox = Inbox()
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
                # What it had told of, but not acknowledged, may come once more.
                rest = {str(n) for n in range(20, 30)}
                while rest:
                    rest.discard(inbox.next().content.description)
        finally:
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
