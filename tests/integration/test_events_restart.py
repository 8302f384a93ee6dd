"""A broker that is restarted: who binds again, what is kept, what is not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.events import (
    ResourceLifecycleEventPublisher,
    SubscriberFactory,
    configure,
)
from aggregator.events.settings import _Process
from aggregator.events.transport import disconnect
from tests.events_kit import Inbox
from tests.integration.own_rabbitmq import OwnRabbitMQ

pytestmark = pytest.mark.long


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[OwnRabbitMQ]:
    found, before = OwnRabbitMQ(tmp_path), _Process.settings
    try:
        found.start()
        configure(sys_name="restarted", broker=found.url, timeout=60.0)
        yield found
    finally:
        found.stop()
        disconnect()
        _Process.settings = before


def test_a_restart_costs_nothing_that_is_durable(broker: OwnRabbitMQ) -> None:
    anonymous, named, kept = Inbox(), Inbox(), Inbox()
    publisher = ResourceLifecycleEventPublisher(origin="x")
    durable = SubscriberFactory(queue_name="kept", durable=True, auto_delete=False)
    durable.build(handler=kept).terminate()
    with (
        SubscriberFactory().build(handler=anonymous),
        SubscriberFactory(queue_name="named").build(handler=named),
    ):
        publisher.create_and_publish_event(description="before")
        for inbox in (anonymous, named):
            assert inbox.described(1) == ["before"]
        broker.stop()
        # Published while there is no broker: it waits for one.
        waiting = threading.Thread(
            target=lambda: publisher.create_and_publish_event(description="meanwhile")
        )
        waiting.start()
        broker.start()
        waiting.join()
        # Nobody is told when a subscriber has bound again; events that come earlier are lost.
        bound: set[str] = set()
        for attempt in range(1000):
            publisher.create_and_publish_event(description=f"{attempt}")
            bound |= {key for key, one in (("a", anonymous), ("n", named)) if one.arrived.qsize()}
            if len(bound) == 2:
                break
            threading.Event().wait(0.05)
        assert bound == {"a", "n"}
    with durable.build(handler=kept):
        assert kept.described(1) == ["before"], "was written to disk"
        publisher.create_and_publish_event(description="after")
        assert kept.described(1) == ["after"], "the binding came back with its subscriber"
