"""What entries that fetch beside each other do to each other when the broker is in trouble."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, cast

import pytest

from aggregator.bus import collecting
from aggregator.bus.collecting import BusEvents
from aggregator.config import Settings
from aggregator.config.events import EventsSettings
from aggregator.errors import BrokerUnavailable, BrokerUnreachable, CollectError
from aggregator.events.transport import Delivery
from aggregator.events.transport.queues import Fetched, KeptQueue
from aggregator.store.engine import Store


class Broker:
    """`Queues` that does what it is told, in the thread of who asks."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.there: set[str] = set()
        #: What comes first of each call, by what is called and the queue.
        self.first: dict[str, Callable[[], None]] = {}

    def _called(self, call: str) -> None:
        self.calls.append(call)
        self.first.get(call, lambda: None)()

    def bind(self, queue: KeptQueue) -> None:
        self._called("bind")
        self.there.add(queue.name)

    def fetch(self, queue: KeptQueue, *, most: int, room: int) -> Fetched:
        self._called(f"fetch {queue.name}")
        return Fetched([Delivery(routing_key="1.o", body=queue.name.encode())], 1, more=False)

    def acknowledge(self, queue: KeptQueue, receipt: Any) -> None:
        self._called(f"acknowledge {queue.name}")

    def give_back(self, queue: KeptQueue, receipt: Any) -> None:
        self._called(f"give back {queue.name}")

    def delete(self, name: str) -> None:
        self._called("delete")
        self.there.discard(name)

    def close(self) -> None:
        self._called("close")


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    found = Broker()
    monkeypatch.setattr(BusEvents, "_opened", lambda self: found)
    monkeypatch.setattr(collecting, "_PAUSE", 0.2)
    monkeypatch.setattr(collecting, "_UNDO", (0.0, 0.3, 0.6))
    return found


def bus() -> BusEvents:
    return BusEvents(Settings(events=EventsSettings(broker="amqp://h")), cast(Store, None))


async def put(messages: Sequence[bytes]) -> int:
    return 0


def fetching(events: BusEvents, name: str, put: Any = put) -> Coroutine[Any, Any, bool]:
    return events.fetch(name, event_id="", origin="", put=put)


def raising(error: Exception) -> Callable[[], None]:
    def trouble() -> None:
        raise error

    return trouble


class Gate:
    """Holds up who calls it, until it is opened."""

    def __init__(self) -> None:
        self._reached, self._open = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self._reached.set()
        self._open.wait(10)

    async def reached(self) -> None:
        assert await asyncio.to_thread(self._reached.wait, 10)

    def open(self) -> None:
        self._open.set()


async def left(task: asyncio.Task[bool]) -> None:
    """Cancel, and wait until it is over."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_queue_in_trouble_is_let_be_and_the_others_are_not(broker: Broker) -> None:
    async def work() -> None:
        events = bus()
        broker.first["fetch bad"] = raising(BrokerUnavailable("no"))
        for _ in range(2):
            with pytest.raises(CollectError, match="does not answer"):
                await fetching(events, "bad")
            await fetching(events, "good")
        assert broker.calls.count("fetch bad") == 1
        assert broker.calls.count("fetch good") == 2
        await asyncio.sleep(0.25)
        del broker.first["fetch bad"]
        await fetching(events, "bad")

    asyncio.run(work())


def test_a_broker_that_is_away_is_asked_by_nobody_for_a_while(broker: Broker) -> None:
    async def work() -> None:
        events = bus()
        broker.first["fetch a"] = raising(BrokerUnreachable("no"))
        for name in "abc":
            with pytest.raises(CollectError, match="does not answer"):
                await fetching(events, name)
        assert broker.calls == ["fetch a"]
        await asyncio.sleep(0.25)
        await fetching(events, "b")

    asyncio.run(work())


def test_who_leaves_while_it_only_waits_closes_nothing(broker: Broker) -> None:
    async def work() -> None:
        events = bus()
        broker.first["fetch a"] = gate = Gate()
        first = asyncio.create_task(fetching(events, "a"))
        await gate.reached()
        waiting = asyncio.create_task(fetching(events, "b"))
        await asyncio.sleep(0.05)
        await left(waiting)
        gate.open()
        await first
        await fetching(events, "c")
        assert "close" not in broker.calls

    asyncio.run(work())


@pytest.mark.parametrize("call", ["fetch", "acknowledge"])
def test_who_leaves_in_the_midst_has_its_messages_come_again(broker: Broker, call: str) -> None:
    async def work() -> None:
        events = bus()
        broker.first[f"{call} a"] = gate = Gate()
        first = asyncio.create_task(fetching(events, "a"))
        await gate.reached()
        await left(first)
        gate.open()
        await fetching(events, "b")
        assert broker.calls[-3:] == ["close", "fetch b", "acknowledge b"]

    asyncio.run(work())


def test_what_could_not_be_acknowledged_comes_again(broker: Broker) -> None:
    async def work() -> None:
        events = bus()
        broker.first["fetch b"] = raising(BrokerUnreachable("no"))

        async def meanwhile(messages: Sequence[bytes]) -> int:
            if messages:
                with pytest.raises(CollectError):
                    await fetching(events, "b")
            return 0

        with pytest.raises(CollectError, match="does not answer"):
            await fetching(events, "a", meanwhile)
        assert "acknowledge a" not in broker.calls
        await asyncio.sleep(0.25)
        await fetching(events, "c")
        assert broker.calls[-3:] == ["close", "fetch c", "acknowledge c"]

    asyncio.run(work())


def test_a_call_that_nobody_waits_for_any_more_is_not_made(broker: Broker) -> None:
    """It would fetch for nobody, on a connection that was made anew before."""

    async def work() -> None:
        events = bus()
        broker.first["fetch a"] = gate = Gate()
        first = asyncio.create_task(fetching(events, "a"))
        await gate.reached()
        await left(first)
        second = asyncio.create_task(fetching(events, "b"))
        await asyncio.sleep(0.1)
        await left(second)
        gate.open()
        await fetching(events, "c")
        await asyncio.sleep(0.1)
        assert "fetch b" not in broker.calls

    asyncio.run(work())


@pytest.mark.parametrize("late", [0.0, 0.4])
def test_a_queue_of_an_add_that_failed_does_not_stay(
    broker: Broker, late: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "queue_of_system", lambda name, system: "collect.x")

    async def work() -> None:
        events = bus()

        def trouble() -> None:
            threading.Timer(late, lambda: broker.there.add("collect.x")).start()
            raise BrokerUnavailable("no answer in time")

        broker.first["bind"] = trouble
        with pytest.raises(CollectError, match="does not answer"):
            await events.bind(event_id="", origin="")
        await asyncio.sleep(late + 0.1)
        assert broker.there
        async with asyncio.timeout(5):
            while broker.there:
                await asyncio.sleep(0.05)

    asyncio.run(work())
