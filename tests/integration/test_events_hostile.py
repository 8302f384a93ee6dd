"""Messages that the library of AMQP stumbles over: they stop neither collecting nor subscribers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.events import EventData, EventSubscriber, configure
from tests import events_kit, hostile_amqp
from tests.events_kit import Inbox, migrated, own_system, reconnections
from tests.hostile_amqp import HOSTILE
from tests.integration.test_bus_collecting import Scene, publish
from tests.stores import opened


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    broker = events_kit.amqp_url()
    with migrated("sqlite", tmp_path) as url, own_system(broker) as system:
        configure(durable=True)
        store = opened(url, tmp_path)
        found = Scene(store, url, broker, system)
        try:
            yield found
        finally:
            found.close()
            store.close()


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_collected_as_what_can_be_read_of_it(scene: Scene, name: str) -> None:
    async def work() -> None:
        events = scene.events(max_fetch=10)
        queue = await events.bind(event_id="", origin="o.#")
        publish("before")
        hostile_amqp.publish(f"{scene.system}.events.topic", name)
        publish("after")
        try:
            await events.fetch(queue, event_id="", origin="o.#", put=scene.take)
            assert scene.put == ["before", name, "after"]
        finally:
            await events.delete(queue)

    asyncio.run(work())


def test_it_keeps_no_subscriber_from_the_next(scene: Scene) -> None:
    inbox, before = Inbox(), reconnections()
    subscriber = EventSubscriber(origin="o.#")
    subscriber.on_data = inbox
    with subscriber:
        for name in HOSTILE:
            hostile_amqp.publish(f"{scene.system}.events.topic", name)
        publish("after")
        found: list[EventData] = [inbox.next() for _ in range(len(HOSTILE) + 1)]
    assert [one.content.body.decode() for one in found] == [*HOSTILE, "after"]
    assert reconnections() == before
