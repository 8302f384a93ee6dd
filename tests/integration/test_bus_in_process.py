"""The bus on a store, without a service around it: what it carries, and when it must not."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from aggregator.bus.bus import Bus, Kept
from aggregator.bus.carrying import BrokerCarrier, Carrier, Load, Note, StoreCarrier
from aggregator.bus.life import Life
from aggregator.errors import BrokerUnavailable
from aggregator.events.settings import EventSettings
from aggregator.store.bus_places import make_place
from aggregator.store.engine import Store
from aggregator.store.entries import remove_entry, renew_entries
from aggregator.store.event_log import load_event, topics_after
from aggregator.store.happenings import note_happening, told_happenings, waiting_happenings
from aggregator.store.outbox import prune_notices
from tests import stores
from tests.events_kit import Inbox
from tests.stores import added
from tests.waiting import until

store = stores.store
SETTINGS = EventSettings(sys_name="site")
LIFE = Life(SETTINGS, "host:1")


class Ways:
    """The ways of a bus to a store."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def ask(self, question: Callable[[Any], Any]) -> Any:
        return self.store.query(question)

    async def write(self, unit: Callable[[Any], Any]) -> Any:
        return self.store.writer.run(unit)

    def bus(self, carrier: Carrier, *, renewals: frozenset[str] = frozenset("AB")) -> Bus:
        return Bus(
            carrier,
            lambda: LIFE,
            groups=frozenset("AB"),
            renewals=renewals,
            kept=Kept(100, 60.0),
            ask=self.ask,
            write=self.write,
            epochs=lambda: dict.fromkeys(range(16), 1),
            shards=16,
            clock=self.store.clock.now,
        )


class Away:
    """A carrier whose broker is away until it is told otherwise."""

    def __init__(self, to: Carrier, *, takes: int = 0) -> None:
        self.to, self.takes = to, takes

    async def carry(
        self, loads: Sequence[Load], note: Note, *, may_go_on: Callable[[], bool]
    ) -> bool:
        taken, self.takes = loads[: self.takes], 0
        if taken:
            await self.to.carry(taken, note, may_go_on=may_go_on)
        if len(taken) < len(loads):
            raise BrokerUnavailable("away")
        return True


def named(store: Store) -> list[str]:
    """What the events in the log are called, in order."""
    topics = store.query(partial(topics_after, sequence=0, most=1000))
    found = [store.query(partial(load_event, sequence=one.sequence)) for one in topics]
    fields = [json.loads(one.body)["message"]["fields"] for one in found if one is not None]
    return [one["name"] for one in fields]


def test_changes_of_groups_are_carried_in_order_and_once(store: Store) -> None:
    ways = Ways(store)
    bus = ways.bus(StoreCarrier(LIFE.exchange, ways.write))
    asyncio.run(bus.finish())
    entries = [added(store, termination=2**60) for _ in range(300)]
    store.writer.run(lambda write: remove_entry(write, 1, entries[0].key))
    for _ in range(3):
        asyncio.run(bus.finish())
    assert named(store) == ["added"] * 300 + ["destroyed"]


def test_renewals_are_told_where_the_group_tells_them(store: Store) -> None:
    ways = Ways(store)
    bus = ways.bus(StoreCarrier(LIFE.exchange, ways.write), renewals=frozenset("B"))
    asyncio.run(bus.finish())
    for group in (1, 2):
        entry = added(store, group_id=group)
        renew = partial(renew_entries, renewals=[(group, entry.key, None)])
        store.writer.run(renew)
    asyncio.run(bus.finish())
    assert sorted(named(store)) == ["added", "added", "renewed"]


def test_two_that_believe_to_hold_the_lease_carry_each_event_once(store: Store) -> None:
    ways = Ways(store)
    one, other = (ways.bus(StoreCarrier(LIFE.exchange, ways.write)) for _ in range(2))
    asyncio.run(one.finish())
    for _ in range(50):
        added(store)

    def work(bus: Bus) -> None:
        for _ in range(5):
            asyncio.run(bus.finish())

    threads = [threading.Thread(target=work, args=(bus,)) for bus in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert named(store) == ["added"] * 50


def test_what_was_carried_before_the_broker_went_away_is_noted(store: Store) -> None:
    ways = Ways(store)
    away = Away(StoreCarrier(LIFE.exchange, ways.write))
    bus = ways.bus(away)
    asyncio.run(bus.finish())
    for _ in range(5):
        added(store)
    away.takes = 2
    for takes in (0, 2, 5):
        away.takes = takes
        try:
            asyncio.run(bus.finish())
        except BrokerUnavailable:
            assert takes < 5
    assert named(store) == ["added"] * 5


def test_what_left_the_outbox_meanwhile_is_told_as_lost(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    ways = Ways(store)
    store.writer.run(partial(make_place, group_id=1))
    bus = ways.bus(Away(StoreCarrier(LIFE.exchange, ways.write)))
    for _ in range(9):
        added(store)
        with pytest.raises(BrokerUnavailable):
            asyncio.run(bus.finish())
    store.writer.run(partial(prune_notices, group_id=1, before=0, longest=4, ends=False))
    with pytest.raises(BrokerUnavailable):
        asyncio.run(bus.finish())
    assert "5 changes were not published in time" in caplog.text


def test_a_thread_that_was_left_behind_sends_nothing_more(store: Store) -> None:
    """It would send beside the one that is begun anew, and out of order."""
    sent, go_on = Inbox(), threading.Event()
    carrier = BrokerCarrier(SETTINGS, exchange="x", write=Ways(store).write)

    def send(delivery: Any, *args: object, **more: object) -> None:
        sent(delivery)
        go_on.wait(10)

    async def work() -> None:
        loads = [Load(number, [LIFE.of_happening]) for number in range(3)]  # type: ignore[list-item]

        def carry(may_go_on: Callable[[], bool]) -> Any:
            return carrier.carry(loads, lambda write, numbers: numbers, may_go_on=may_go_on)

        task = asyncio.create_task(carry(lambda: True))
        await asyncio.to_thread(lambda: until(sent.arrived.qsize))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        await asyncio.sleep(0.3)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aggregator.bus.carrying.send", send)
        asyncio.run(work())
    assert sent.arrived.qsize() == 1


def test_what_another_process_told_is_not_told_again_and_the_rest_is(store: Store) -> None:
    """Of what both had seen, each thing is told by the one that forgets it."""
    keys = ["one", "two", "three"]
    for key in keys:
        store.writer.run(partial(note_happening, kind="started", key=key))
    seen = store.query(partial(waiting_happenings, most=10))
    carrier = StoreCarrier("x", Ways(store).write)
    loads = [Load(one.id, list(LIFE.of_happening(one, ""))) for one in seen]

    async def carry(some: Sequence[Load]) -> bool:
        return await carrier.carry(some, told_happenings, may_go_on=lambda: True)

    assert asyncio.run(carry(loads[:1]))
    assert not asyncio.run(carry(loads))
    topics = [one.topic for one in store.query(partial(topics_after, sequence=0, most=1000))]
    assert topics == [load.deliveries[0].routing_key for load in loads]


def test_who_lost_the_lease_sends_nothing_more(store: Store) -> None:
    sent = Inbox()
    carrier = BrokerCarrier(SETTINGS, exchange="x", write=Ways(store).write)
    loads = [Load(number, [LIFE.of_happening]) for number in range(3)]  # type: ignore[list-item]
    held = iter([True, False])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aggregator.bus.carrying.send", lambda one, *args, **more: sent(one))
        with pytest.raises(BrokerUnavailable):
            asyncio.run(
                carrier.carry(loads, lambda write, numbers: numbers, may_go_on=lambda: next(held))
            )
    assert sent.arrived.qsize() == 1
