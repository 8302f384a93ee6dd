"""Fetching from queues of the bus: what was not stored comes again, however the fetch ended.

``python -m tests.integration.test_bus_collecting STORE BROKER SYSTEM QUEUE`` fetches, says so, and
never stores what it fetched.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aggregator.bus.collecting import BusEvents
from aggregator.config import Settings
from aggregator.config.events import EventsSettings
from aggregator.errors import CollectError, StoreUnavailable
from aggregator.events import RawMessage, configure
from aggregator.store.engine import Store
from tests import events_kit
from tests.cut_proxy import CutProxy
from tests.events_kit import CompassEventPublisher, migrated, own_system
from tests.integration.own_rabbitmq import OwnRabbitMQ
from tests.stores import opened


def events_settings(broker: str, system: str, **more: Any) -> Settings:
    given: dict[str, Any] = {"max_fetch": 3, "broker_timeout": 3.0, "durable": True, **more}
    return Settings(events=EventsSettings(broker=broker, sys_name=system, **given))


@dataclass
class Scene:
    """A way to fetch, and what was put."""

    store: Store
    url: str
    broker: str
    system: str

    def __post_init__(self) -> None:
        self.put: list[str] = []
        self.made: list[BusEvents] = []
        self.waiting = 0
        self.trouble: BaseException | None = None

    def events(self, **more: Any) -> BusEvents:
        self.made.append(BusEvents(events_settings(self.broker, self.system, **more), self.store))
        return self.made[-1]

    def close(self) -> None:
        for one in self.made:
            one.close()

    async def take(self, messages: Sequence[bytes]) -> int:
        if messages and self.trouble is not None:
            trouble, self.trouble = self.trouble, None
            raise trouble
        self.put += [one.partition(b"\n")[2].decode() for one in messages]
        return self.waiting

    async def fetch(self, events: BusEvents, name: str) -> bool:
        return await events.fetch(name, event_id="", origin="o", put=self.take)


@pytest.fixture(params=["amqp", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    kind = request.param if request.param != "amqp" else "sqlite"
    broker = events_kit.amqp_url() if request.param == "amqp" else ""
    with migrated(kind, tmp_path) as url, own_system(broker or url) as system:
        configure(durable=True)
        store = opened(url, tmp_path)
        found = Scene(store, url, broker, system)
        try:
            yield found
        finally:
            found.close()
            store.close()


def publish(*texts: str) -> None:
    for text in texts:
        CompassEventPublisher(origin="o").publish_event(RawMessage(text.encode(), 1, "text/plain"))


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_what_was_put_leaves_the_queue(scene: Scene) -> None:
    async def work() -> None:
        events = scene.events()
        name = await events.bind(event_id="", origin="o")
        assert name.startswith(f"{scene.system}.collect.")
        publish(*"abcde")
        more = [await scene.fetch(events, name) for _ in range(3)]
        assert scene.put == list("abcde")
        assert more == [True, False, False]
        await events.delete(name)
        await events.delete(name)
        while await scene.fetch(events, name):
            pass
        publish("f")
        while await scene.fetch(events, name):
            pass
        # Made anew, a queue of the store begins with all that is kept.
        assert scene.put == [*"abcde", *("" if scene.broker else "abcde"), "f"]
        await events.delete(name)

    run(work())


def test_what_was_not_put_comes_again_in_order(scene: Scene) -> None:
    async def work() -> None:
        events = scene.events()
        name = await events.bind(event_id="", origin="o")
        publish(*"abcd")
        for trouble in (StoreUnavailable("away"), asyncio.CancelledError()):
            scene.trouble = trouble
            with pytest.raises(type(trouble)):
                await scene.fetch(events, name)
        while await scene.fetch(events, name):
            pass
        assert scene.put == list("abcd")
        await events.delete(name)

    run(work())


def test_who_is_full_fetches_nothing(scene: Scene) -> None:
    async def work() -> None:
        events = scene.events(max_waiting=5)
        name = await events.bind(event_id="", origin="o")
        publish("a")
        scene.waiting = 5
        assert not await scene.fetch(events, name)
        assert scene.put == []
        scene.waiting = 4
        await scene.fetch(events, name)
        assert scene.put == ["a"]
        await events.delete(name)

    run(work())


def test_several_entries_fetch_beside_each_other(scene: Scene) -> None:
    async def work() -> None:
        events = scene.events(max_fetch=1)
        names = [await events.bind(event_id="", origin="o") for _ in range(5)]
        publish(*"abc")
        for _ in range(4):
            await asyncio.gather(*(scene.fetch(events, name) for name in names))
        assert sorted(scene.put) == sorted("abc" * 5)
        for name in names:
            await events.delete(name)

    run(work())


def test_a_process_that_is_killed_before_it_stored_loses_none(scene: Scene) -> None:
    async def work() -> None:
        events = scene.events()
        name = await events.bind(event_id="", origin="o")
        publish(*"ab")
        command = [sys.executable, "-m", __name__, scene.url, scene.broker, scene.system, name]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        ) as other:
            assert other.stdout is not None
            assert json.loads(other.stdout.readline()) == ["a", "b"]
            other.kill()
        for _ in range(20):
            await scene.fetch(events, name)
            if scene.put:
                break
            # The broker has yet to see that the connection is gone.
            await asyncio.sleep(0.1)
        assert scene.put == ["a", "b"]
        await events.delete(name)

    run(work())


def test_a_broker_that_is_cut_off_is_told_and_found_again(tmp_path: Path) -> None:
    import kombu  # noqa: PLC0415

    with kombu.Connection(events_kit.amqp_url()) as real:
        proxy = CutProxy(real.hostname or "localhost", int(real.port or 5672))
    with migrated("sqlite", tmp_path) as url, own_system(events_kit.amqp_url()) as system:
        configure(durable=True)
        store = opened(url, tmp_path)
        scene = Scene(store, url, proxy.url(events_kit.amqp_url()), system)

        async def work() -> None:
            events = scene.events()
            name = await events.bind(event_id="", origin="o")
            publish("a")
            proxy.cut()
            with pytest.raises(CollectError, match="does not answer") as told:
                await scene.fetch(events, name)
            assert told.value.code == "no-broker"
            with pytest.raises(CollectError, match="does not answer"):
                await scene.fetch(events, name)
            proxy.mend()
            await asyncio.sleep(2.1)
            await scene.fetch(events, name)
            assert scene.put == ["a"]
            await events.delete(name)

        try:
            run(work())
        finally:
            proxy.mend()
            scene.close()
            store.close()


@pytest.mark.long
def test_a_restart_of_the_broker_keeps_what_waits(tmp_path: Path) -> None:
    broker = OwnRabbitMQ(tmp_path)
    with migrated("sqlite", tmp_path) as url:
        store = opened(url, tmp_path)
        try:
            broker.start()
            with own_system("") as system:
                configure(durable=True, broker=broker.url)
                scene = Scene(store, url, broker.url, system)

                async def work() -> None:
                    events = scene.events()
                    name = await events.bind(event_id="", origin="o")
                    publish("a")
                    broker.stop()
                    broker.start()
                    publish("b")
                    await scene.fetch(events, name)
                    assert scene.put == ["a", "b"]

                try:
                    run(work())
                finally:
                    scene.close()
        finally:
            broker.stop()
            store.close()


async def _hang(store: str, broker: str, system: str, name: str) -> None:
    held = opened(store, Path())

    async def put(messages: Sequence[bytes]) -> int:
        if messages:
            print(json.dumps([one.partition(b"\n")[2].decode() for one in messages]), flush=True)
            await asyncio.sleep(3600)
        return 0

    events = BusEvents(events_settings(broker, system), held)
    await events.fetch(name, event_id="", origin="o", put=put)


if __name__ == "__main__":
    asyncio.run(_hang(*sys.argv[1:]))
