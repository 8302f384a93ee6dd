"""Numbers that are taken of deliveries on their way into an archive, and those that are missed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from aggregator.archive import extracting, keeping
from aggregator.archive.keeping import Archives
from aggregator.config import GroupSettings, Settings
from aggregator.config.series import Series
from aggregator.contract import Collected, Delivery
from aggregator.store.engine import Store
from aggregator.testing import member
from tests import stores
from tests.integration.archive_kit import at

store = stores.store
LOAD = Series("load", "sum(//a[count(//a) = count(//a)])")
SLOW = b"<x>" + b"<a>1</a>" * 20_000 + b"</x>"


@dataclass(frozen=True)
class Delivering:
    """Hands over what entries say, all at once; in one loop, as a collector does."""

    store: Store
    archives: Archives
    loop: asyncio.Runner

    def deliver(self, second: int, said: dict[str, bytes]) -> None:
        batch = [
            Delivery(member(key=key), None, Collected((content,)), at(second))
            for key, content in said.items()
        ]
        self.loop.run(self.archives.keep("A", batch, self.store.writer.run))


@pytest.fixture
def delivering(store: Store) -> Iterator[Delivering]:
    group = GroupSettings(name="A", sinks=("archive",), series=(LOAD,))
    archives = Archives(replace(Settings(), groups={"A": group}))
    with asyncio.Runner() as loop:
        yield Delivering(store, archives, loop)

        async def close() -> None:
            archives.close()
            # The connection is closed in the loop's next turn.
            await asyncio.sleep(0)

        loop.run(close())


def points(store: Store) -> dict[str, list[float]]:
    """The numbers of entries."""
    with store.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT entry_key, value FROM archive_points JOIN archive_series"
            " ON archive_series.id = series_id JOIN archive_streams"
            " ON archive_streams.id = stream_id ORDER BY at"
        ).all()
    found: dict[str, list[float]] = {}
    for key, value in rows:
        found.setdefault(key, []).append(value)
    return found


def test_an_unchanged_document_has_its_numbers_again_after_they_were_missed(
    store: Store, delivering: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = stores.added(store).key
    with monkeypatch.context() as broken:
        broken.setattr(extracting, "_COMMAND", ("/nowhere/python",))
        broken.setattr(extracting, "_AGAIN", 0.0)
        delivering.deliver(1, {key: b"<a>5</a>"})
    assert points(store) == {}
    for second in (2, 3):
        delivering.deliver(second, {key: b"<a>5</a>"})
    assert points(store) == {key: [5.0, 5.0]}


def test_slow_documents_take_the_numbers_of_others_once_at_most(
    store: Store, delivering: Delivering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same changes each time, so that nothing is known of it from before."""
    slow = [stores.added(store).key for _ in range(4)]
    quick = stores.added(store).key
    now = [0.0]
    delivering.archives._extractor.penalties.clock = lambda: now[0]
    # All the time that there is goes to the first slow one.
    monkeypatch.setattr(keeping, "_PATIENCE", 0.2)
    for second in range(1, 3):
        said = {key: SLOW + b"<!-- %d -->" % second for key in slow[:1]}
        delivering.deliver(second, said | {quick: b"<a>%d</a>" % second})
    monkeypatch.setattr(keeping, "_PATIENCE", 20.0)
    assert points(store).get(quick, []) in ([], [2.0])
    for second in range(3, 6):
        said = {key: SLOW + b"<!-- %d -->" % second for key in slow}
        delivering.deliver(second, said | {quick: b"<a>%d</a>" % second})
        assert points(store)[quick][-1] == second
        assert list(points(store)) == [quick]
    # Those that were slow are asked again, and once they have got well they have numbers too.
    now[0] = 1000.0
    delivering.deliver(9, dict.fromkeys(slow, b"<a>9</a>"))
    assert {key for key, found in points(store).items() if found[-1] == 9.0} == set(slow)
