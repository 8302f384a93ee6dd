"""What a sink was told to forget stays forgotten, whatever was under way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from aggregator.collect.farewell import Farewell
from aggregator.contract import AggregatorSink, Delivery, SinkContext, SinkType
from aggregator.model import MemberFacts
from aggregator.registry.plugins import find_plugins
from tests.integration import collector_kit
from tests.integration.collector_kit import GROUP, Bench
from tests.integration.test_collector_sinks import INDEX, Scene

bench = collector_kit.bench


class SlowSink(AggregatorSink):
    """Notes what it is told; a delivery takes a moment."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.begun = asyncio.Event()

    async def deliver(
        self, batch: Sequence[Delivery], *, context: SinkContext
    ) -> Sequence[tuple[bytes, ...] | None]:
        self.told += ["deliver" for _ in batch]
        self.begun.set()
        await asyncio.sleep(0.2)
        self.told += ["delivered" for _ in batch]
        return [None] * len(batch)

    async def forget(self, entry: MemberFacts, *, context: SinkContext) -> None:
        self.told.append("forget")


@pytest.mark.parametrize("place", ["the first", "a further one"])
def test_what_is_under_way_at_a_farewell_comes_before_it_or_not_at_all(
    bench: Bench, place: str
) -> None:
    slow = SlowSink()
    sinks = [SinkType("slow", slow), INDEX]
    scene = Scene(bench, *(sinks if place == "the first" else reversed(sinks)))
    result = scene.result(scene.entry())
    other = scene.result(scene.entry())
    farewell = Farewell(
        plugins=find_plugins(), sinks={GROUP: scene.ways}, recording=scene.recording
    )

    async def play() -> None:
        scene.recorder.put(result)
        flushing = asyncio.create_task(scene.recorder.flush())
        await slow.begun.wait()
        await farewell.say(result.context)
        await flushing
        scene.recorder.put(result)
        scene.recorder.put(other)
        await scene.recorder.flush()

    asyncio.run(play())
    assert slow.told == ["deliver", "delivered", "forget", "deliver", "delivered"]
