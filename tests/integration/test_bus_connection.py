"""The one connection that entries' queues are fetched on: dead hosts, and brokers that hang."""

from __future__ import annotations

import time
from collections.abc import Iterator

import kombu
import pytest

from aggregator.errors import BrokerUnreachable
from aggregator.events import RawMessage
from aggregator.events.transport import Exchange, amqp_queues
from aggregator.events.transport.amqp_link import Link, remaining
from aggregator.events.transport.amqp_queues import AmqpQueues
from aggregator.events.transport.queues import Fetched, KeptQueue
from tests import events_kit
from tests.cut_proxy import CutProxy
from tests.events_kit import CompassEventPublisher, own_system
from tests.waiting import until


@pytest.fixture
def way() -> CutProxy:
    with kombu.Connection(events_kit.amqp_url()) as real:
        return CutProxy(real.hostname or "localhost", int(real.port or 5672))


@pytest.fixture
def queue() -> Iterator[KeptQueue]:
    with own_system(events_kit.amqp_url()) as system:
        yield KeptQueue(
            name=f"{system}.q",
            exchange=Exchange(f"{system}.events.topic"),
            binding="#",
            age=60.0,
            length=100,
        )
        events_kit.delete(f"{system}.events.topic", f"{system}.q")


def publish(text: str) -> None:
    publisher = CompassEventPublisher(origin="o", broker=events_kit.amqp_url())
    publisher.publish_event(RawMessage(text.encode(), 1, "text/plain"))


def fetched(queues: AmqpQueues, queue: KeptQueue) -> list[bytes]:
    return [one.body for one in queues.fetch(queue, most=10, room=1000).deliveries]


def test_what_a_dead_host_has_fetched_is_another_ones(
    way: CutProxy, queue: KeptQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amqp_queues, "HEARTBEAT", 1)
    dead = AmqpQueues(way.url(events_kit.amqp_url()), timeout=5.0)
    dead.bind(queue)
    publish("a")
    assert fetched(dead, queue) == [b"a"]
    # Nothing is heard of it, and nothing ends its connection.
    way.stall()
    other = AmqpQueues(events_kit.amqp_url(), timeout=5.0)
    try:
        until(lambda: fetched(other, queue) == [b"a"], within=20, what="the broker has noticed")
    finally:
        other.close()
        way.mend()
        dead.close()


def test_a_connection_on_which_nothing_was_said_is_made_anew(
    queue: KeptQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker has ended it, and whoever fetches is told of no trouble."""
    monkeypatch.setattr(amqp_queues, "HEARTBEAT", 1)
    queues = AmqpQueues(events_kit.amqp_url(), timeout=5.0)
    queues.bind(queue)
    publish("a")
    time.sleep(4)
    found = queues.fetch(queue, most=10, room=1000)
    assert [one.body for one in found.deliveries] == [b"a"]
    queues.acknowledge(queue, found.receipt)
    assert fetched(queues, queue) == []
    queues.close()


def test_a_connection_that_hangs_leaves_time_for_another(
    queue: KeptQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, links = amqp_queues._fetched, []

    def hanging(of: KeptQueue, link: Link, most: int, room: int, deadline: float) -> Fetched:
        links.append(link)
        if len(links) == 1:
            time.sleep(remaining(deadline))
            raise TimeoutError
        return really(of, link, most, room, deadline)

    monkeypatch.setattr(amqp_queues, "_fetched", hanging)
    queues = AmqpQueues(events_kit.amqp_url(), timeout=2.0)
    queues.bind(queue)
    publish("a")
    assert fetched(queues, queue) == [b"a"]
    assert links[0] is not links[1]
    queues.close()


def test_a_broker_that_is_not_there_is_told_as_such(queue: KeptQueue) -> None:
    with pytest.raises(BrokerUnreachable):
        AmqpQueues("amqp://127.0.0.1:9//", timeout=1.0).bind(queue)
