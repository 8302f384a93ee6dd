"""What a group's sinks do to each other and to what is published, on real databases."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

import pytest

from aggregator.collect import delivering
from aggregator.collect.context import EntryContext, Offered
from aggregator.collect.delivering import Delivering
from aggregator.collect.dispatch import Result
from aggregator.collect.recording import GroupRecorder, Recording
from aggregator.contract import AggregatorSink, Collected, Delivery, SinkContext, SinkType
from aggregator.errors import StoreUnavailable
from aggregator.model import Entry
from aggregator.registry.plugins import find_plugins
from aggregator.store.collection import load_assignment
from aggregator.store.leases import take_shards
from aggregator.testing import FailingSink, RecordingSink, no_probe
from tests.integration import collector_kit
from tests.integration.collector_kit import GROUP, Bench

bench, embedded = collector_kit.bench, collector_kit.embedded
INDEX = find_plugins().sinks["index"]
HOLDER = "holder"


class OddSink(AggregatorSink):
    """Answers as it is told."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    async def deliver(
        self, batch: Sequence[Delivery], *, context: SinkContext
    ) -> Sequence[tuple[bytes, ...] | None]:
        if callable(self.answer):
            return await self.answer(context)  # type: ignore[no-any-return]
        return self.answer  # type: ignore[return-value]

    def type(self) -> SinkType:
        return SinkType("odd", self)


class Scene:
    """A recorder of one group, and results for its entries."""

    def __init__(self, bench: Bench, *sinks: SinkType) -> None:
        self.bench = bench
        store = bench.store
        self.epochs = store.writer.run(lambda w: take_shards(w, HOLDER, range(64), 60))
        self.recording = Recording(store, HOLDER, 3, write_timeout=2.0)
        self.ways = [Delivering(GROUP, sink, store) for sink in sinks]
        self.recorder = GroupRecorder(GROUP, recording=self.recording, sinks=self.ways)

    def entry(self) -> Entry:
        return self.bench.register("http://member.example.org/")

    def result(
        self,
        entry: Entry,
        content: bytes = b"<new/>",
        *,
        error: tuple[str, str] | None = None,
        epoch: int | None = None,
    ) -> Result:
        store = self.bench.store
        with store.read() as connection:
            assignment = load_assignment(connection, entry.id)
        assert assignment is not None
        offered = Offered(None, no_probe, store.clock.now)  # type: ignore[arg-type]
        return Result(
            EntryContext(assignment, offered=offered),
            store.clock.now(),
            self.epochs[assignment.shard] if epoch is None else epoch,
            None if error else Collected((content,)),
            error,
            0,
        )

    def record(self, *results: Result) -> None:
        for result in results:
            self.recorder.put(result)
        asyncio.run(self.recorder.flush())

    def now(self, entry: Entry) -> tuple[tuple[bytes, ...], str]:
        """What the entry publishes, and the code of its error."""
        found = self.bench.entry(entry)
        assert found is not None
        return found.data, found.health.error_code


def test_a_failing_sink_stops_neither_the_first_nor_the_next(bench: Bench) -> None:
    last = RecordingSink()
    scene = Scene(
        bench, INDEX, FailingSink().type(), FailingSink(KeyError("bug")).type(), last.type()
    )
    entry = scene.entry()
    scene.record(scene.result(entry))
    assert scene.now(entry) == ((b"<new/>",), "")
    assert [delivery.collected.content for delivery in last.deliveries] == [(b"<new/>",)]
    assert last.deliveries[0].entry.key == entry.key


def test_a_first_sink_that_fails_keeps_the_data_and_shows_it(bench: Bench) -> None:
    first = RecordingSink(name="first")
    scene = Scene(bench, first.type())
    entry = scene.entry()
    scene.record(scene.result(entry, b"<old/>"))
    broken = Scene(bench, FailingSink().type())
    broken.record(broken.result(entry))
    assert broken.now(entry) == ((b"<old/>",), "sink-failed")
    scene.record(scene.result(entry))
    assert scene.now(entry) == ((b"<new/>",), "")


def test_an_entry_that_a_sink_can_t_take_harms_no_other(bench: Bench) -> None:
    picky = FailingSink(keys=[])
    scene = Scene(bench, picky.type())
    entries = [scene.entry() for _ in range(5)]
    picky._keys = [entries[2].key]
    scene.record(*(scene.result(entry) for entry in entries))
    codes = [scene.now(entry)[1] for entry in entries]
    assert codes == ["", "", "sink-failed", "", ""]


def test_a_failed_collection_is_recorded_among_others(bench: Bench) -> None:
    scene = Scene(bench, INDEX)
    good, bad = scene.entry(), scene.entry()
    scene.record(scene.result(good), scene.result(bad, error=("timeout", "no answer")))
    assert scene.now(good) == ((b"<new/>",), "")
    assert scene.now(bad) == ((), "timeout")


@pytest.mark.parametrize("kind", ["first", "second"])
def test_wrong_sql_of_a_sink_is_its_own_fault(bench: Bench, kind: str) -> None:
    async def write(context: SinkContext) -> list[None]:
        context.tables.write("INSERT INTO sink_odd_missing VALUES (:a)", a=1)
        return [None]

    odd = OddSink(write).type()
    scene = Scene(bench, odd, INDEX) if kind == "first" else Scene(bench, INDEX, odd)
    entry = scene.entry()
    scene.record(scene.result(entry))
    wanted = ((), "sink-failed") if kind == "first" else ((b"<new/>",), "")
    assert scene.now(entry) == wanted


def test_tables_of_others_are_out_of_reach(bench: Bench) -> None:
    async def write(context: SinkContext) -> list[None]:
        context.tables.write("DELETE FROM entries")
        return [None]

    scene = Scene(bench, OddSink(write).type())
    entry = scene.entry()
    scene.record(scene.result(entry))
    assert scene.now(entry)[1] == "sink-failed"


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        [(b"<a/>",), (b"<b/>",)],
        [b"<a/>"],
        [("<a/>",)],
        [(b"<a>",)],
        [(b'<?xml version="1.0"?><a/>',)],
        [(b"</x><x>",)],
        ValueError,
    ],
)
def test_what_a_sink_must_not_answer(embedded: Bench, answer: object) -> None:
    scene = Scene(embedded, OddSink(answer).type())
    entry = scene.entry()
    scene.record(scene.result(entry))
    assert scene.now(entry) == ((), "sink-failed")


def test_none_leaves_what_is_published(embedded: Bench) -> None:
    scene, silent = Scene(embedded, INDEX), Scene(embedded, OddSink([None]).type())
    entry = scene.entry()
    scene.record(scene.result(entry, b"<old/>"))
    silent.record(silent.result(entry))
    assert scene.now(entry) == ((b"<old/>",), "")


def test_a_sink_that_hangs_is_waited_for_only_so_long(
    embedded: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(context: SinkContext) -> list[None]:
        await asyncio.sleep(60)
        return [None]

    monkeypatch.setattr(delivering, "PATIENCE", 0.1)
    scene = Scene(embedded, INDEX, OddSink(hang).type())
    entry = scene.entry()
    scene.record(scene.result(entry))
    assert scene.now(entry) == ((b"<new/>",), "")


def test_results_of_another_lease_are_dropped(bench: Bench) -> None:
    scene = Scene(bench, INDEX)
    entry = scene.entry()
    scene.record(scene.result(entry, b"<stale/>", epoch=99))
    assert scene.now(entry) == ((), "")


def test_results_wait_for_a_store_that_is_locked(embedded: Bench) -> None:
    scene = Scene(embedded, INDEX)
    entry = scene.entry()
    result = scene.result(entry)
    other = sqlite3.connect(embedded.config.parent / "aggregator.sqlite", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            scene.record(result)
        other.execute("ROLLBACK")
    finally:
        other.close()
    asyncio.run(scene.recorder.flush())
    assert scene.now(entry) == ((b"<new/>",), "")


def test_every_result_of_an_entry_is_recorded_in_order(embedded: Bench) -> None:
    sink = RecordingSink()
    scene = Scene(embedded, sink.type())
    entry = scene.entry()
    first = scene.result(entry, b"<first/>")
    remembered = replace(first, collected=Collected((b"<first/>",), {"dialect": "oasis"}))
    second = scene.result(entry, b"<second/>")
    failed = scene.result(entry, error=("timeout", "no answer"))
    scene.record(remembered, second, failed)
    assert scene.now(entry) == ((b"<second/>",), "timeout")
    contents = [delivery.collected.content for delivery in sink.deliveries]
    assert contents == [(b"<first/>",), (b"<second/>",)]
    with embedded.store.read() as connection:
        assignment = load_assignment(connection, entry.id)
    assert assignment is not None
    assert assignment.memory == {"dialect": "oasis"}


def test_results_that_come_during_a_commit_gather_for_the_next(embedded: Bench) -> None:
    scene = Scene(embedded, INDEX)
    early, late = scene.entry(), scene.entry()
    result, coming = scene.result(early), [scene.result(late)]

    async def more(context: SinkContext) -> list[None]:
        while coming:
            scene.recorder.put(coming.pop())
        return [None]

    scene.ways.append(Delivering(GROUP, OddSink(more).type(), embedded.store))
    scene.recorder = GroupRecorder(GROUP, recording=scene.recording, sinks=scene.ways)
    scene.record(result)
    assert (scene.now(early)[0], scene.now(late)[0]) == ((b"<new/>",), ())

    async def run_on() -> None:
        running = asyncio.create_task(scene.recorder.run())
        await asyncio.sleep(0.5)
        running.cancel()

    asyncio.run(run_on())
    assert scene.now(late)[0] == (b"<new/>",)


def test_a_member_that_can_t_be_read_any_more_harms_no_other(embedded: Bench) -> None:
    scene = Scene(embedded, INDEX)
    good, bad = scene.entry(), scene.entry()
    result = scene.result(bad)
    assignment = replace(result.context.assignment, member=b"<no-epr/>")
    offered = result.context._offered
    spoilt = replace(result, context=EntryContext(assignment, offered=offered))
    scene.record(spoilt, scene.result(good))
    assert scene.now(good) == ((b"<new/>",), "")
    assert scene.now(bad) == ((), "sink-failed")
