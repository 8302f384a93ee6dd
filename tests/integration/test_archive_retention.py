"""What an archive gives up, and when; numbers that grow old. On both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aggregator.archive.retention import Retention
from aggregator.config import GroupSettings, Settings
from aggregator.store.archive_partitions import AHEAD, make_partitions, partitions
from aggregator.store.archive_series_reading import find_series, read_buckets
from aggregator.store.archive_tables import DAY, archive_points, archive_spans
from aggregator.store.engine import Store
from tests import databases, stores
from tests.integration.archive_kit import (
    MORNING,
    arrival,
    at,
    keep,
    keep_together,
    page,
    pages,
    told,
)
from tests.stores import SECOND, ManualClock

store, clock = stores.store, stores.clock
postgresql_url = databases.postgresql_url
A_DAY = DAY // SECOND
HOUR = 3600 * SECOND


def settings(**group: Any) -> Settings:
    """Groups A and B, of which A has settings of its own."""
    groups = {name: GroupSettings(name=name, sinks=("archive",)) for name in ("A", "B")}
    groups["A"] = replace(groups["A"], **group)
    return replace(Settings(), groups=groups)


def retain(store: Store, policy: Settings) -> list[int]:
    """Let retention do all that there is to do; how much it did each time."""
    retention, done = Retention(policy), []
    while (more := store.writer.run(retention)) > 0:
        retention.committed()
        done.append(more)
        assert len(done) < 1000
    return done


def one(store: Store, sql: str) -> Any:
    with store.read() as connection:
        return connection.exec_driver_sql(sql).scalar_one()


def texts(store: Store, group_id: int = 1) -> list[str]:
    return [text for text, *_ in told(page(store, group_id=group_id).spans)]


class TestDocuments:
    def test_leave_by_age_a_whole_day_at_a_time(self, store: Store, clock: ManualClock) -> None:
        for day in range(4):
            moment = day * A_DAY + 1000
            keep(store, arrival(f"a{day}", at(moment)), group="A")
            keep(store, arrival(f"b{day}", at(moment), key="k2"), group="B")
        policy = settings(archive_age=2.0 * A_DAY)
        clock.time = at(4 * A_DAY - 1)
        retain(store, policy)
        # The first day ended more than two days ago, the second one did not.
        assert texts(store, 1) == ["a1", "a2", "a3"]
        assert texts(store, 2) == ["b0", "b1", "b2", "b3"]
        clock.time = at(4 * A_DAY)
        retain(store, policy)
        assert texts(store, 1) == ["a2", "a3"]

    def test_leave_in_batches(self, store: Store, clock: ManualClock) -> None:
        keep_together(store, *(arrival("a", at(n), key=f"k{n}") for n in range(603)))
        clock.time = at(40 * A_DAY)
        assert retain(store, settings())[:2] == [500, 103]
        assert one(store, "SELECT count(*) FROM archive_days") == 0

    def test_leave_by_number_the_oldest_first(self, store: Store, clock: ManualClock) -> None:
        keep(store, *(arrival(str(number), at(number * 40_000)) for number in range(10)))
        clock.time = at(11 * 40_000)
        retain(store, settings(archive_deliveries=3))
        assert texts(store) == ["7", "8", "9"]
        assert one(store, "SELECT sum(spans) FROM archive_days") == 3

    def test_leave_by_size_the_oldest_first(self, store: Store, clock: ManualClock) -> None:
        keep(store, *(arrival("x" * 3000 + str(number), at(number)) for number in range(10)))
        clock.time = at(11)
        most = int(one(store, f"SELECT sum(stored) FROM archive_spans WHERE first >= {at(7)}"))
        retain(store, settings(archive_size=most))
        assert [text[3000:] for text in texts(store)] == [*"789"]
        assert one(store, "SELECT sum(stored) FROM archive_days") == most

    def test_that_still_come_are_kept_anew(self, store: Store, clock: ManualClock) -> None:
        """An unchanged delivery touches no document; but there must be one."""
        keep(store, arrival("a", at(1)), arrival("a", at(2)))
        clock.time = at(3)
        keep(store, arrival("b", at(2), key="k2"))
        retain(store, settings(archive_deliveries=1))
        assert texts(store) == ["b"]
        keep(store, arrival("a", at(3)), arrival("a", at(4)))
        assert told(pages(store)) == [("b", 2, 2, 1), ("a", 3, 4, 2)]

    def test_stay_for_ever_where_nothing_limits_them(
        self, store: Store, clock: ManualClock
    ) -> None:
        keep(store, arrival("a", at(1)))
        clock.time = at(10_000 * A_DAY)
        retain(store, settings(archive_age=0.0, archive_deliveries=0, archive_size=0))
        assert texts(store) == ["a"]

    def test_of_entries_that_are_gone_leave_no_trace(
        self, store: Store, clock: ManualClock
    ) -> None:
        keep(store, arrival("a", at(1), load=1.0), arrival("b", at(2), key="k2"))
        clock.time = at(40 * A_DAY)
        keep(store, arrival("b", at(40 * A_DAY - 1), key="k2"))
        retain(store, settings(series_raw_age=1.0 * A_DAY, series_age=2.0 * A_DAY))
        assert one(store, "SELECT count(*) FROM archive_streams") == 1
        for table in ("archive_series", "archive_points", "archive_buckets"):
            assert one(store, f"SELECT count(*) FROM {table}") == 0
        assert one(store, "SELECT count(*) FROM archive_bases") == 1
        assert texts(store) == ["b"]

    def test_leave_while_others_read(self, store: Store, clock: ManualClock) -> None:
        """A reader that has begun sees what it saw, and neither waits for the other."""
        keep_together(store, *(arrival("a", at(n), key=f"k{n}") for n in range(600)))
        clock.time = at(40 * A_DAY)
        found: list[int] = []
        with store.read() as connection:
            connection.exec_driver_sql("BEGIN")
            count = "SELECT count(*) FROM archive_spans"
            found.append(connection.exec_driver_sql(count).scalar_one())
            worker = threading.Thread(target=partial(retain, store, settings()))
            worker.start()
            worker.join(20)
            assert not worker.is_alive()
            if store.is_sqlite:
                found.append(connection.exec_driver_sql(count).scalar_one())
            connection.exec_driver_sql("COMMIT")
        assert set(found) == {600}
        assert texts(store) == []


class TestNumbers:
    @pytest.fixture
    def series(self, store: Store) -> Callable[[int], dict[int, tuple[float, ...]]]:
        """The buckets of the one series there is, of a width."""

        def read(width: int) -> dict[int, tuple[float, ...]]:
            until = MORNING + 10 * DAY
            (found,) = store.query(
                partial(find_series, group_id=1, name="load", since=0, until=until, most=9)
            )
            buckets = store.query(
                partial(read_buckets, series_id=found.id, since=MORNING, until=until, width=width)
            )
            return {
                (start - MORNING) // width: (b.count, b.least, b.most, b.total, b.last)
                for start, b in sorted(buckets.items())
            }

        return read

    def test_come_in_aligned_buckets_with_gaps(
        self, store: Store, series: Callable[[int], dict[int, tuple[float, ...]]]
    ) -> None:
        for minute, load in ((0, 4.0), (30, 2.0), (59, 3.0), (60, 9.0), (200, 1.0)):
            keep(store, arrival(str(minute), at(minute * 60), load=load))
        assert series(HOUR) == {
            0: (3, 2.0, 4.0, 9.0, 3.0),
            1: (1, 9.0, 9.0, 9.0, 9.0),
            3: (1, 1.0, 1.0, 1.0, 1.0),
        }
        assert series(DAY) == {0: (5, 1.0, 9.0, 19.0, 1.0)}

    def test_that_grow_old_become_buckets_that_say_the_same(
        self,
        store: Store,
        clock: ManualClock,
        series: Callable[[int], dict[int, tuple[float, ...]]],
    ) -> None:
        for number in range(300):
            keep(store, arrival(str(number), at(number * 600), load=float(number * 7 % 50)))
        before = {width: series(width) for width in (HOUR, 2 * HOUR, DAY)}
        clock.time = at(2 * A_DAY)
        retain(store, settings(series_raw_age=1.0 * A_DAY))
        # The first day has 144 of them.
        assert one(store, "SELECT count(*) FROM archive_points") == 300 - 144
        assert one(store, "SELECT count(*) FROM archive_buckets") == 24
        assert {width: series(width) for width in before} == before
        # One that comes late is added to what there is.
        with store.database.writing.connect() as connection:
            connection.exec_driver_sql(
                f"INSERT INTO archive_points SELECT id, {at(30)}, 1000.0 FROM archive_series"
            )
            connection.exec_driver_sql(
                f"INSERT INTO archive_days VALUES (1, {at(0)}, 0, 0, 1)"
                " ON CONFLICT (group_id, day) DO UPDATE SET points = 1"
            )
        retain(store, settings(series_raw_age=1.0 * A_DAY))
        count, _, most, _, last = series(HOUR)[0]
        assert (count, most) == (7, 1000.0)
        assert last == before[HOUR][0][4]

    def test_leave_by_their_own_age(self, store: Store, clock: ManualClock) -> None:
        keep(store, *(arrival(str(n), at(n * 3600), load=1.0) for n in range(100)))
        clock.time = at(4 * A_DAY + 4000)
        policy = settings(series_raw_age=1.0 * A_DAY, series_age=2.0 * A_DAY)
        retain(store, policy)
        oldest = one(store, "SELECT min(start) FROM archive_buckets")
        assert at(2 * A_DAY) <= oldest < at(2 * A_DAY + 8000)
        assert one(store, "SELECT min(at) FROM archive_points") == at(3 * A_DAY)
        assert len(texts(store)) == 100

    def test_are_kept_one_by_one_for_ever_where_that_is_wanted(
        self, store: Store, clock: ManualClock
    ) -> None:
        keep(store, arrival("a", at(1), load=1.0))
        clock.time = at(1000 * A_DAY)
        retain(store, settings(series_raw_age=0.0, series_age=0.0, archive_age=0.0))
        assert one(store, "SELECT count(*) FROM archive_points") == 1


@pytest.mark.postgresql
class TestPartitions:
    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock(at(100))

    @pytest.fixture
    def server(self, postgresql_url: str, clock: ManualClock, tmp_path: Path) -> Iterator[Store]:
        found = stores.opened(postgresql_url, tmp_path)
        stores.prepare(found)
        found.clock = found.writer._committer._clock = clock
        yield found
        found.close()

    def test_are_made_ahead_and_take_what_comes(self, server: Store) -> None:
        assert server.writer.run(make_partitions) == 2 * (AHEAD + 1)
        assert server.writer.run(make_partitions) == 0
        keep(server, arrival("a", at(200), load=1.0))
        for table in ("archive_spans", "archive_points"):
            assert one(server, f"SELECT count(*) FROM {table}_default") == 0
            assert one(server, f"SELECT count(*) FROM {table}_20231115") == 1

    def test_take_what_is_of_no_day_by_default(self, server: Store, clock: ManualClock) -> None:
        keep(server, arrival("early", at(50)))
        server.writer.run(make_partitions)
        keep(server, arrival("later", at(60)), arrival("next", at(A_DAY)))
        assert texts(server) == ["early", "later", "next"]
        there = server.writer.run(lambda write: partitions(write, archive_spans))
        assert at(0) not in there
        assert at(A_DAY) in there
        clock.time = at(40 * A_DAY)
        retain(server, settings())
        assert texts(server) == []

    def test_are_dropped_whole_once_all_groups_are_through(
        self, server: Store, clock: ManualClock
    ) -> None:
        server.writer.run(make_partitions)
        keep(server, arrival("a", at(200), load=1.0))
        keep(server, *(arrival(str(n), at(300 + n), key="k2") for n in range(5)), group="B")
        policy = settings(archive_age=1.0 * A_DAY)
        clock.time = at(2 * A_DAY + 1)
        retain(server, policy)
        assert texts(server, 1) == []
        assert len(texts(server, 2)) == 5
        clock.time = at(31 * A_DAY)
        assert retain(server, policy)[0] == 5
        for table in (archive_spans, archive_points):
            there = server.writer.run(lambda write, table=table: partitions(write, table))
            assert there == {}
        assert one(server, "SELECT count(*) FROM archive_days") == 0

    def test_that_are_being_read_are_left_for_the_next_time(
        self, server: Store, clock: ManualClock
    ) -> None:
        server.writer.run(make_partitions)
        keep(server, arrival("a", at(200)))
        clock.time = at(40 * A_DAY)
        with server.read() as connection:
            connection.exec_driver_sql("BEGIN")
            connection.exec_driver_sql("SELECT count(*) FROM archive_spans").all()
            # What can't be dropped whole now goes row by row.
            retain(server, settings())
            connection.exec_driver_sql("COMMIT")
        assert texts(server) == []
        retain(server, settings())
        there = server.writer.run(lambda write: partitions(write, archive_spans))
        assert there == {}
