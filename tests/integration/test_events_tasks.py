"""Tasks are kept in the store, on both databases; of processes that share it one takes a turn."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.errors import StoreUnavailable, TaskRefused
from aggregator.events import (
    AppLoaderEventMessage,
    ScheduleEventPublisher,
    ScheduleEventSubscriber,
    Scheduler,
    SubscriberFactory,
)
from aggregator.events.stored_tasks import StoreTasks
from aggregator.events.tasks import SECOND, MemoryTasks, Task, Tasks
from aggregator.events.turns import Turns
from aggregator.store.engine import Store
from tests import events_kit, stores
from tests.databases import DATABASES, write_locked
from tests.events_kit import Inbox, amqp_url
from tests.integration.events_process import started
from tests.migrated import with_tables
from tests.stores import ManualClock, opened, prepare

store = stores.store
clock = stores.clock
system = events_kit.system
system_on_amqp = events_kit.system_on_amqp

TASK = Task(id="t", origin="me", interval=10, next_due=5, ends=99, payload=b"\x00\xff")


@pytest.fixture(params=["memory", *DATABASES])
def tasks(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tasks]:
    """Each place where tasks are kept."""
    if request.param == "memory":
        yield MemoryTasks()
        return
    with with_tables(request.param, tmp_path) as url:
        found = opened(url, tmp_path)
        try:
            prepare(found)
            yield StoreTasks(found)
        finally:
            found.close()


class TestKept:
    def test_are_found_as_they_were_added(self, tasks: Tasks) -> None:
        other = Task(id="u", origin="you", interval=7, next_due=3)
        assert tasks.add(TASK, most=9)
        assert tasks.add(other, most=9)
        assert tasks.find("t") == TASK
        assert tasks.find("nonsense") is None
        assert sorted(tasks.all(), key=lambda task: task.id) == [TASK, other]

    def test_are_added_once(self, tasks: Tasks) -> None:
        assert tasks.add(TASK, most=9)
        assert not tasks.add(Task(id="t", origin="you", interval=1, next_due=1), most=9)
        assert tasks.all() == [TASK]

    def test_are_no_more_than_may_be(self, tasks: Tasks) -> None:
        tasks.add(TASK, most=1)
        with pytest.raises(TaskRefused, match="no more are kept"):
            tasks.add(Task(id="u", origin="me", interval=1, next_due=1), most=1)
        assert not tasks.add(TASK, most=1)
        assert tasks.all() == [TASK]

    def test_are_removed_once(self, tasks: Tasks) -> None:
        tasks.add(TASK, most=9)
        assert tasks.remove("t")
        assert not tasks.remove("t")
        assert tasks.all() == []

    def test_are_moved_by_who_knows_when_they_are_due(self, tasks: Tasks) -> None:
        tasks.add(TASK, most=9)
        assert not tasks.move("t", due=4, later=15)
        assert tasks.move("t", due=5, later=15)
        assert not tasks.move("t", due=5, later=25)
        found = tasks.find("t")
        assert found is not None
        assert found.next_due == 15
        assert not tasks.move("t", due=5, later=None)
        assert tasks.move("t", due=15, later=None)
        assert not tasks.move("t", due=15, later=None)
        assert tasks.find("t") is None

    def test_are_moved_by_one_of_many(self, tasks: Tasks) -> None:
        tasks.add(TASK, most=9)
        moved = []
        together = threading.Barrier(8)

        def move() -> None:
            together.wait()
            moved.append(tasks.move("t", due=5, later=15))

        threads = [threading.Thread(target=move) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(moved) == [False] * 7 + [True]


def test_tasks_outlive_their_process(database_url: str, tmp_path: Path, system: str) -> None:
    payload = AppLoaderEventMessage(app_name="a")
    first = opened(database_url, tmp_path)
    prepare(first)
    reply = Scheduler(tasks=StoreTasks(first)).add_task(
        desired_origin="me", interval_seconds=60, payload=payload
    )
    first.close()
    second = opened(database_url, tmp_path)
    inbox = Inbox()
    try:
        scheduler = Scheduler(tasks=StoreTasks(second))
        listening = SubscriberFactory(subscriber_type=ScheduleEventSubscriber).build(handler=inbox)
        with listening, scheduler:
            additional = inbox.next().content.additional_data
            assert (additional.task_id, additional.payload) == (reply.task_id, payload)
            again = scheduler.add_task(
                desired_origin="me", interval_seconds=1, task_id=reply.task_id
            )
            assert again.duplicate
            assert scheduler.remove_task(reply.task_id).status == "OK"
    finally:
        second.close()


def test_turns_missed_while_nobody_ran_come_to_one(
    store: Store, clock: ManualClock, system: str
) -> None:
    tasks, inbox = StoreTasks(store), Inbox()
    Scheduler(tasks=tasks).add_task(desired_origin="me", interval_seconds=10, task_id="t")
    clock.time += 35 * SECOND
    turns = Turns(tasks, ScheduleEventPublisher())
    with SubscriberFactory(subscriber_type=ScheduleEventSubscriber).build(handler=inbox):
        found = turns.take("t")
        assert found is not None
        assert found.next_due == clock.time + 5 * SECOND
        turns.take("t")
        clock.time += 5 * SECOND
        turns.take("t")
        ScheduleEventPublisher(origin="end").create_and_publish_event(task_id="end")
        assert [inbox.next().content.task_id for _ in range(3)] == ["t", "t", "end"]


def test_a_store_that_is_away_is_told(tmp_path: Path, system: str) -> None:
    with with_tables("sqlite", tmp_path) as url:
        found = opened(url, tmp_path, write_timeout=1.0, busy_timeout=0.5)
        try:
            prepare(found)
            scheduler = Scheduler(tasks=StoreTasks(found))
            with write_locked(url), pytest.raises(StoreUnavailable):
                scheduler.add_task(desired_origin="me", interval_seconds=10, task_id="t")
            again = scheduler.add_task(desired_origin="me", interval_seconds=10, task_id="t")
            assert not again.duplicate
        finally:
            found.close()


def test_processes_that_share_a_store_take_each_turn_once(
    database_url: str, tmp_path: Path, system_on_amqp: str
) -> None:
    """A turn that both took would come as two events at nearly the same time."""
    found, inbox, interval = opened(database_url, tmp_path), Inbox(), 0.5
    prepare(found)
    arguments = ("schedule", system_on_amqp, amqp_url(), database_url, str(tmp_path))
    processes = [started(*arguments) for _ in range(2)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        with SubscriberFactory(subscriber_type=ScheduleEventSubscriber).build(handler=inbox):
            scheduler = Scheduler(tasks=StoreTasks(found))
            scheduler.add_task(desired_origin="me", interval_seconds=interval, task_id="t")
            together = [inbox.next().content.datetime for _ in range(8)]
            processes[0].kill()
            processes[0].wait()
            alone = [inbox.next().content.datetime for _ in range(3)]
            scheduler.remove_task("t")
        moments = together + alone
        assert moments == sorted(moments)
        gaps = [after - before for before, after in itertools.pairwise(moments)]
        # A turn may be late, and the next one is on time.
        assert min(gaps) > interval / 10, gaps
    finally:
        for process in processes:
            process.kill()
            process.communicate()
        found.close()
