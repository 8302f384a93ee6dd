"""What the sinks of a group write is durable together with what is published, or not at all."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest

from aggregator.collect import recording
from aggregator.collect.recording import Recording
from aggregator.contract import SinkContext, SinkType
from aggregator.errors import StoreUnavailable
from tests.databases import write_locked
from tests.integration import collector_kit
from tests.integration.collector_kit import Bench
from tests.integration.test_collector_sinks import INDEX, OddSink, Scene
from tests.waiting import until

bench, embedded = collector_kit.bench, collector_kit.embedded


def noting(bench: Bench, *, after: float = 0) -> SinkType:
    """A sink that writes a row for each batch, after some seconds."""
    bench.store.writer.run(
        lambda write: write.connection.exec_driver_sql("CREATE TABLE sink_odd_noted (a INTEGER)")
    )

    async def note(context: SinkContext) -> list[None]:
        await asyncio.sleep(after)
        context.tables.write("INSERT INTO sink_odd_noted VALUES (:a)", a=1)
        return [None]

    return OddSink(note).type()


def noted(bench: Bench) -> int:
    with bench.store.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM sink_odd_noted").scalar_one())


def test_what_further_sinks_write_is_durable_with_what_is_published(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(bench, INDEX, noting(bench))
    entry = scene.entry()
    units = []
    write = Recording.write

    async def counted(self: Recording, unit: object) -> object:
        units.append(unit)
        return await write(self, unit)  # type: ignore[arg-type]

    monkeypatch.setattr(Recording, "write", counted)
    scene.record(scene.result(entry))
    assert (scene.now(entry)[0], noted(bench)) == ((b"<new/>",), 1)
    assert len(units) == 1


def test_a_further_sink_loses_nothing_while_the_store_is_away(embedded: Bench) -> None:
    scene = Scene(embedded, INDEX, noting(embedded))
    entry = scene.entry()
    result = scene.result(entry)
    other = sqlite3.connect(embedded.config.parent / "aggregator.sqlite", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            scene.record(result)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                asyncio.run(scene.recorder.flush())
        other.execute("ROLLBACK")
    finally:
        other.close()
    assert noted(embedded) == 0
    asyncio.run(scene.recorder.flush())
    assert (scene.now(entry)[0], noted(embedded)) == ((b"<new/>",), 1)


def test_what_is_published_waits_for_a_slow_sink_only_so_long(bench: Bench) -> None:
    scene = Scene(bench, INDEX, noting(bench, after=recording._GRACE + 1.5))
    entry = scene.entry()
    result = scene.result(entry)

    async def play() -> None:
        scene.recorder.put(result)
        flushing = asyncio.create_task(scene.recorder.flush())
        await asyncio.sleep(recording._GRACE + 0.7)
        assert (scene.now(entry)[0], noted(bench)) == ((b"<new/>",), 0)
        await flushing

    asyncio.run(play())
    assert noted(bench) == 1


@pytest.mark.postgresql
def test_tables_of_a_further_sink_that_are_locked_keep_nothing_from_being_published(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    if bench.store.database.mark() is not None:
        pytest.skip("there nobody locks a single table")
    scene = Scene(bench, INDEX, noting(bench))
    entry = scene.entry()
    with write_locked(bench.settings.store.url, table="sink_odd_noted"):
        for content in (b"<first/>", b"<second/>"):
            scene.recorder.put(scene.result(entry, content))
            until(lambda: _flushed(scene), what="what the first sink publishes")
            assert scene.now(entry)[0] == (content,)
    assert "the sink odd lost a delivery" in caplog.text
    scene.recorder.put(scene.result(entry))
    until(lambda: _flushed(scene), what="what both write")
    # What was given up may have been written all the same, once the lock was gone.
    assert (scene.now(entry)[0], noted(bench) >= 1) == ((b"<new/>",), True)


def _flushed(scene: Scene) -> bool:
    """Try to record what waits, as often as the collector would; whether it was."""
    try:
        asyncio.run(scene.recorder.flush())
    except StoreUnavailable:
        return False
    return True
