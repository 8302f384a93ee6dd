"""Rules, their triggers and their actions where two things happen at the same time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from aggregator.collect.sink_triggers import SinkTriggers
from aggregator.errors import StoreUnavailable
from aggregator.model import Entry
from aggregator.store.action_counts import read_fired
from aggregator.store.engine import Store
from aggregator.store.entries import add_entry
from aggregator.store.publishing import publish, published
from aggregator.store.rule_actions import latest_actions
from aggregator.store.rule_states import RuleState, change_state, forget_rule, load_states
from aggregator.store.triggers import StoredTrigger, change_trigger, make_trigger, remove_trigger
from aggregator.triggers.running import ActionEnd
from aggregator.triggers.showing import show_again
from aggregator.triggers.status import trigger_status
from aggregator.triggers.watched import Watched
from aggregator.wire.times import SECOND
from aggregator.wire.trigger_rules import TriggerRule
from tests import stores
from tests.stores import PLAIN, ManualClock

from .test_trigger_day import Collector

store = stores.store
clock = stores.clock

HOLDS = "//load > 5"
HELD = TriggerRule(HOLDS, "act", minimum_match_time=5, minimum_firing_interval=3600)
Begun = list[tuple[str, bytes]]


def add(store: Store, key: str = "key") -> Entry:
    return store.writer.run(lambda write: add_entry(write, PLAIN, group_id=1, due=None, key=key))


def watched(rule: TriggerRule, entry: Entry, **more: Any) -> Watched:
    fields: dict[str, Any] = {
        "key": "key/0",
        "name": "0",
        "rule": rule,
        "group": "A",
        "group_id": 1,
        "entry": "key",
        "entry_id": entry.id,
        "slot": 1,
        "member": PLAIN.address,
        "epr": b"<MemberEPR/>",
        "config": b"<AggregatorConfig/>",
        "data": (b"<load>9</load>",),
    }
    return Watched(**(fields | more))


def running(begun: Begun) -> Callable[[str, str, bytes], Awaitable[ActionEnd]]:
    async def run(script: str, number: str, given: bytes) -> ActionEnd:
        begun.append((number, given))
        return ActionEnd(True)

    return run


def play(store: Store, story: Callable[[Collector], Awaitable[None]], run: Any = None) -> Begun:
    """Have a collector that holds all leases live through a story; what it began."""
    begun: Begun = []

    async def life() -> None:
        collector = Collector(store, 0, run or running(begun))
        await collector.take_over()
        try:
            await story(collector)
            await collector.settle()
        finally:
            collector.watching.close()

    asyncio.run(life())
    return begun


def test_a_delivery_under_way_while_the_clock_fires_does_not_fire_once_more(
    store: Store, clock: ManualClock
) -> None:
    one = watched(HELD, add(store))

    async def story(collector: Collector) -> None:
        await collector.deliver([one])
        clock.time += 4_500_000
        await collector.deliver([one])
        clock.time += 600_000
        seen = await collector.watching.look([one])
        assert seen[0].verdict == "fired"
        clock.time += 50_000
        await collector.running.look()
        await collector.write(partial(collector.watching.write, seen=seen))
        await collector.running.look()

    begun = play(store, story)
    assert len(begun) == 1
    assert store.query(lambda connection: read_fired(connection, 1, clock.now())).total == 1


def test_a_rule_that_can_not_be_evaluated_waits_on_with_what_its_action_is_told(
    store: Store, clock: ManualClock
) -> None:
    one = watched(HELD, add(store), pushed=True)

    async def story(collector: Collector) -> None:
        await collector.deliver([one])
        collector.watching._penalties.add(one.key)
        clock.time += SECOND
        await collector.deliver([one])
        clock.time += 6 * SECOND
        await collector.running.look()

    begun = play(store, story)
    [(_, given)] = begun
    assert b"<load>9</load>" in given


def trigger(store: Store, rule: TriggerRule) -> StoredTrigger:
    made = StoredTrigger("t-1", PLAIN.address, b"", "n", True, json.dumps(rule.dumps()), "", 0, 1)
    store.writer.run(lambda write: make_trigger(write, made))
    return made


@pytest.mark.parametrize("rule", [HELD, replace(HELD, minimum_match_time=0)])
@pytest.mark.parametrize("how", ["removed", "disabled"])
def test_a_trigger_that_goes_while_its_data_is_looked_at_fires_no_more(
    store: Store, clock: ManualClock, how: str, rule: TriggerRule
) -> None:
    made = trigger(store, rule)
    one = watched(rule, add(store), key="t-1", trigger="t-1", version=1, pushed=True)

    def goes(write: Any) -> None:
        if how == "removed":
            remove_trigger(write, "t-1")
            forget_rule(write, "t-1")
        else:
            change_trigger(write, replace(made, enabled=False))
            change_state(write, "t-1", RuleState())

    async def story(collector: Collector) -> None:
        seen = await collector.watching.look([one])
        await collector.write(goes)
        await collector.write(partial(collector.watching.write, seen=seen))
        clock.time += 10 * SECOND
        await collector.running.look()

    begun = play(store, story)
    assert begun == []
    assert store.query(lambda connection: load_states(connection, ["t-1"])) == {}


def test_two_registrations_of_a_member_in_one_batch_feed_a_trigger_once(
    store: Store, clock: ManualClock
) -> None:
    entries = {key: add(store, key) for key in ("one", "two")}
    trigger(store, TriggerRule(HOLDS, "act"))
    units: list[Any] = []
    assigned: Any = {
        key: SimpleNamespace(
            group="A",
            group_id=1,
            key=key,
            id=entry.id,
            shard=1,
            member=b"<MemberEPR/>",
            config=b"<AggregatorConfig/>",
            plan=SimpleNamespace(interval=5000),
        )
        for key, entry in entries.items()
    }
    batch: Any = [
        SimpleNamespace(
            entry=SimpleNamespace(key=key, epr=SimpleNamespace(address=PLAIN.address)),
            collected=SimpleNamespace(content=(b"<load>9</load>",)),
        )
        for key in entries
    ]

    def turning() -> int:
        clock.time += 1000
        return clock.time

    async def story(collector: Collector) -> None:
        collector.watching._clock = turning
        tables: Any = SimpleNamespace(join=units.append)
        await SinkTriggers(collector.watching, tables, assigned).watch_members(batch)
        for unit in units:
            await collector.write(unit)
        await collector.running.look()

    begun = play(store, story)
    assert len(begun) == 1
    assert store.query(lambda connection: read_fired(connection, 1, clock.now())).total == 1


def test_a_claim_that_was_stored_but_not_confirmed_is_begun_all_the_same(
    store: Store, clock: ManualClock
) -> None:
    one = watched(TriggerRule(HOLDS, "act"), add(store))

    async def story(collector: Collector) -> None:
        seen = await collector.watching.look([one])
        await collector.write(partial(collector.watching.write, seen=seen))
        write = collector.running._write

        async def unconfirmed(unit: Any) -> Any:
            await write(unit)
            raise StoreUnavailable("the store did not take the write in time")

        collector.running._known = dict(collector.epochs)
        collector.running._write = unconfirmed
        with pytest.raises(StoreUnavailable):
            await collector.running.look()
        collector.running._write = write
        await collector.running.look()

    begun = play(store, story)
    [(_, given)] = begun
    assert b'attempt="1"' in given
    last = store.query(lambda connection: latest_actions(connection, ["key/0"]))["key/0"]
    assert (last.state, last.attempts) == ("done", 1)


def test_what_was_claimed_unknowingly_is_left_to_who_comes_next(
    store: Store, clock: ManualClock
) -> None:
    one = watched(TriggerRule(HOLDS, "act"), add(store))

    async def story(collector: Collector) -> None:
        seen = await collector.watching.look([one])
        await collector.write(partial(collector.watching.write, seen=seen))
        write = collector.running._write

        async def cancelled(unit: Any) -> Any:
            await write(unit)
            raise asyncio.CancelledError

        collector.running._known = dict(collector.epochs)
        collector.running._write = cancelled
        with pytest.raises(asyncio.CancelledError):
            await collector.running.look()
        collector.running._write = write
        await collector.running.finish(within=1)

    begun = play(store, story)
    assert begun == []
    last = store.query(lambda connection: latest_actions(connection, ["key/0"]))["key/0"]
    assert (last.state, last.attempts) == ("pending", 0)


def test_actions_that_take_all_places_leave_the_store_alone(
    store: Store, clock: ManualClock
) -> None:
    one = watched(TriggerRule(HOLDS, "act"), add(store))
    looks = 0

    async def run(script: str, number: str, given: bytes) -> ActionEnd:
        await asyncio.sleep(2)
        return ActionEnd(True)

    async def story(collector: Collector) -> None:
        ask = collector.running._ask

        async def counted(question: Any) -> Any:
            nonlocal looks
            looks += 1
            return await ask(question)

        collector.running._most = 1
        await collector.deliver([one])
        collector.running._ask = counted
        looking = asyncio.create_task(collector.running.run())
        await asyncio.sleep(1.5)
        looking.cancel()

    play(store, story, run)
    assert looks < 6


def test_what_a_member_says_that_looks_like_a_status_is_left_as_it_is(
    store: Store, clock: ManualClock
) -> None:
    entry = add(store)
    data = (trigger_status(RuleState(), None),)
    store.writer.run(lambda write: publish(write, entry.id, data))
    store.writer.run(lambda write: show_again(write, entry_id=entry.id))
    assert store.query(lambda connection: published(connection, entry.id)) == data
