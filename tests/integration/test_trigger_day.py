"""A day of rules by a clock that is turned by hand, with restarts and kills, on both databases."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from aggregator.store.action_counts import read_fired
from aggregator.store.engine import Store
from aggregator.store.entries import add_entry
from aggregator.store.leases import take_shards
from aggregator.store.rule_actions import latest_actions
from aggregator.store.trigger_tables import rule_actions
from aggregator.triggers.running import ActionEnd, Running
from aggregator.triggers.watched import Watched
from aggregator.triggers.watching import Watching
from aggregator.wire.times import SECOND
from aggregator.wire.trigger_rules import TriggerRule
from tests import stores
from tests.stores import PLAIN, ManualClock

store = stores.store
clock = stores.clock

ALL = select(rule_actions.c.id, rule_actions.c.state)
DAY, MINUTE = 86_400, 60
#: Minutes from one collection to the next.
TICK = 5
TICKS = range(0, DAY // MINUTE, TICK)
SHARDS = 4
#: Busy from 6 to 9, for a minute at noon, and from 18 on.
BUSY = {*range(6 * 60, 9 * 60), 12 * 60, *range(18 * 60, 24 * 60)}
RULES = (
    TriggerRule("//load > 5", "each"),
    TriggerRule("//load > 5", "hourly", minimum_firing_interval=3600),
    TriggerRule("//load > 5", "lasting", minimum_match_time=600, minimum_firing_interval=DAY),
    TriggerRule("//load > 50", "never"),
)


class Collector:
    """The triggers of one life of a collector, holding a lease on everything."""

    def __init__(self, store: Store, life: int, run: Callable[..., Awaitable[ActionEnd]]) -> None:
        # Who comes next on a host takes over the name.
        self.holder = f"holder-{life // 2}"
        self.epochs: Mapping[int, int] = {}
        self.store = store
        self.watching = Watching(ask=self.ask, clock=store.clock.now)
        self.running = Running(
            self.watching,
            run=run,
            ask=self.ask,
            write=self.write,
            epochs=lambda: self.epochs,
            holder=self.holder,
            process=f"process-{life}",
            shards=SHARDS,
            turn=_turn,
            most=8,
            retry_for=3600,
        )

    async def ask(self, question: Callable[[Any], Any]) -> Any:
        return await asyncio.to_thread(self.store.query, question)

    async def write(self, unit: Callable[[Any], Any]) -> Any:
        return await asyncio.to_thread(self.store.writer.run, unit)

    async def take_over(self) -> None:
        take = partial(take_shards, holder=self.holder, shards=range(SHARDS), ttl=10.0)
        self.epochs = await self.write(take)
        assert len(self.epochs) == SHARDS

    async def deliver(self, watched: list[Watched]) -> None:
        await self.write(partial(take_shards, holder=self.holder, shards=range(SHARDS), ttl=10.0))
        seen = await self.watching.look(watched)
        await self.write(partial(self.watching.write, seen=seen))
        await self.running.look()

    async def settle(self) -> None:
        """Wait for what runs, and run what waits for it."""
        while self.running._tasks:
            await asyncio.wait(self.running._tasks)
            await self.running.look()


async def _turn(group: int) -> AbstractAsyncContextManager[object]:
    return asyncio.Lock()


def watched(rule: TriggerRule, entry: int, load: int) -> Watched:
    return Watched(
        key=f"key/{RULES.index(rule)}",
        name=rule.action_script,
        rule=rule,
        group="A",
        group_id=1,
        entry="key",
        entry_id=entry,
        slot=1,
        member="http://member.example.org",
        epr=b"<MemberEPR/>",
        config=b"<AggregatorConfig/>",
        data=(b"<load>%d</load>" % load,),
    )


def test_a_day_holds_the_firings_that_the_intervals_allow_whatever_is_killed(
    store: Store, clock: ManualClock
) -> None:
    entry = store.writer.run(lambda write: add_entry(write, PLAIN, group_id=1, due=None, key="key"))
    begun: list[tuple[str, str]] = []
    cut_off: set[str] = set()
    dice = random.Random(6)
    dies = False

    async def run(script: str, number: str, given: bytes) -> ActionEnd:
        begun.append((script, number))
        if dies:
            cut_off.add(number)
            await asyncio.Event().wait()
        return ActionEnd(True)

    async def day() -> None:
        nonlocal dies
        life, collector = 0, Collector(store, 0, run)
        await collector.take_over()
        for minute in TICKS:
            load = 9 if minute in BUSY else 1
            dies = dice.random() < 0.06
            await collector.deliver([watched(rule, entry.id, load) for rule in RULES])
            if dies or dice.random() < 0.06:
                # Killed, before or after what it claimed begins; its lease runs out.
                if dice.random() < 0.5:
                    await asyncio.sleep(0)
                for task in collector.running._tasks:
                    task.cancel()
                collector.watching.close()
                life += 1
                clock.time += 11 * SECOND
                collector = Collector(store, life, run)
                dies = False
                await collector.take_over()
                await collector.running.look()
                clock.time -= 11 * SECOND
            await collector.settle()
            clock.time += TICK * MINUTE * SECOND
        collector.watching.close()
        assert life > 20

    asyncio.run(day())
    assert len(begun) == len(set(begun)), "an action was begun twice"
    assert cut_off, "no action was cut off, so that this shows less than it says"
    assert not [script for script, _ in begun if script == "never"]
    counted = store.query(lambda connection: read_fired(connection, 1, clock.now()))
    # Every collection in a busy time, at 6, 7, 8, 12 and from 18 on each hour, and once at 6:10.
    fired = len(BUSY.intersection(TICKS)) + 10 + 1
    assert counted.total == fired
    # The ends of three alerts are told of the first two rules, of the third that of the one.
    states = dict(store.query(lambda connection: connection.execute(ALL).fetchall()))
    assert len(states) == fired + 2 + 2 + 1
    # What was killed before it began is not shown as if nothing were amiss.
    assert {states[number] for number in states.keys() - {number for _, number in begun}} == {
        "unknown"
    }
    assert {states[number] for number in cut_off} == {"unknown"}
    assert set(states.values()) == {"done", "unknown"}


@pytest.mark.parametrize("lives", [40])
def test_restarts_add_no_firing_and_forget_no_time(
    store: Store, clock: ManualClock, lives: int
) -> None:
    entry = store.writer.run(lambda write: add_entry(write, PLAIN, group_id=1, due=None, key="key"))
    begun: list[tuple[int, str, str]] = []

    async def run(script: str, number: str, given: bytes) -> ActionEnd:
        kind = "fired" if b'state="fired"' in given else "recovered"
        begun.append(((clock.time - start) // SECOND // MINUTE, script, kind))
        return ActionEnd(True, output=b"<done/>")

    async def day() -> None:
        collector = Collector(store, 0, run)
        await collector.take_over()
        for minute in TICKS:
            if minute % (DAY // MINUTE // lives) < TICK and minute:
                collector.watching.close()
                clock.time += 11 * SECOND
                collector = Collector(store, minute, run)
                await collector.take_over()
                clock.time -= 11 * SECOND
            load = 9 if minute in BUSY else 1
            await collector.deliver([watched(rule, entry.id, load) for rule in RULES[1:]])
            await collector.settle()
            clock.time += TICK * MINUTE * SECOND
        collector.watching.close()

    start = clock.time
    asyncio.run(day())
    hourly = [(minute, kind) for minute, script, kind in begun if script == "hourly"]
    expected = [(hour * 60, "fired") for hour in (6, 7, 8)] + [(9 * 60, "recovered")]
    expected += [(12 * 60, "fired"), (12 * 60 + TICK, "recovered")]
    expected += [(hour * 60, "fired") for hour in range(18, 24)]
    assert hourly == expected
    lasting = [(minute, kind) for minute, script, kind in begun if script == "lasting"]
    # Once a day at most; the one of the evening is not due before the next morning.
    assert lasting == [(6 * 60 + 10, "fired"), (9 * 60, "recovered")]
    last = store.query(lambda connection: latest_actions(connection, ["key/1"]))["key/1"]
    assert (last.state, last.output) == ("done", b"<done/>")
