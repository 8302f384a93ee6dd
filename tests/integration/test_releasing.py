"""What is left to undo: each in its turn, and for as long as it is worth the trouble."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from sqlalchemy import insert, select

from aggregator.collect.context import Offered
from aggregator.collect.releasing import Releasing
from aggregator.contract import AggregatorSource, Context, SourceType
from aggregator.errors import CollectError
from aggregator.model import Plan
from aggregator.store.consumer_tables import releases
from aggregator.store.engine import Store
from tests import stores
from tests.stores import SECOND

store = stores.store
clock = stores.clock


class Undoing(AggregatorSource):
    """Can undo nothing at members that are dead."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def release(self, plan: Plan, *, context: Context) -> None:
        address = context.member.epr.address
        if "dead" in address:
            raise CollectError("no connection", code="connection")
        self.done.append(address)

    def lasts_until(self, memory: Mapping[str, str]) -> int | None:
        return int(memory["ends"]) if "ends" in memory else None


class InStore:
    """The ways to the store, and the plug-ins, that are one source."""

    def __init__(self, store: Store, source: AggregatorSource) -> None:
        self._store = store
        self._source = SourceType("Undoing", (), source)

    async def ask(self, question: Callable[[Any], Any]) -> Any:
        return self._store.query(question)

    async def write(self, unit: Callable[[Any], Any]) -> Any:
        return self._store.writer.run(unit)

    def source(self, name: str) -> SourceType:
        return self._source


def leave(store: Store, *addresses: str, memory: str = "{}") -> None:
    rows = [
        {
            "entry_id": number,
            "group_id": 1,
            "key": str(number),
            "member": f'<m><a:Address xmlns:a="http://www.w3.org/2005/08/addressing">{one}'
            "</a:Address></m>".encode(),
            "address": one,
            "config": b"<c/>",
            "plan": Plan("Undoing", 0).dumps(),
            "memory": memory,
            "slot": 0,
            "at": store.clock.now(),
        }
        for number, one in enumerate(addresses)
    ]
    store.writer.run(lambda write: write.connection.execute(insert(releases), rows))


def left(store: Store) -> int:
    return len(store.query(lambda c: c.execute(select(releases.c.id)).fetchall()))


def undo(store: Store, source: AggregatorSource, *, looks: int) -> None:
    """Look so many times at what is left."""
    ways: Any = InStore(store, source)
    offered: Any = Offered(None, None, store.clock.now)  # type: ignore[arg-type]
    releasing = Releasing(
        following=ways,
        recording=ways,
        plugins=ways,
        offered=offered,
        epochs=lambda: {0: 1},
        shards=1,
        lifetime=600.0,
    )

    async def some() -> None:
        for _ in range(looks):
            await releasing._look({0: 1})
            while any(one.task for one in releasing._tries.values()):
                await asyncio.sleep(0.001)

    asyncio.run(some())


def test_what_can_not_be_undone_keeps_no_other_waiting(store: Store) -> None:
    source = Undoing()
    dead = [f"http://dead.example/{number}" for number in range(250)]
    leave(store, *dead, "http://well.example/")
    undo(store, source, looks=3)
    assert source.done == ["http://well.example/"]
    assert left(store) == 250


@pytest.mark.parametrize(
    ("memory", "seconds", "there"),
    [
        ("{}", 599, 1),
        ("{}", 601, 0),
        ('{"ends": "%d"}', 3599, 1),
        ('{"ends": "%d"}', 3601, 0),
        ('{"ends": "%d0"}', 7 * 86400 - 1, 1),
        ('{"ends": "%d0"}', 7 * 86400 + 1, 0),
    ],
)
def test_it_is_tried_until_it_has_ended_by_itself(
    store: Store, clock: stores.ManualClock, memory: str, seconds: int, there: int
) -> None:
    hour = clock.time + 3600 * SECOND
    leave(store, "http://dead.example/", memory=memory % hour if "%" in memory else memory)
    clock.time += seconds * SECOND
    undo(store, Undoing(), looks=1)
    assert left(store) == there
