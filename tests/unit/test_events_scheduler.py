"""Tasks are checked, kept, due when they should be, and each turn is taken once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from aggregator.errors import EventNotReady, StoreUnavailable, TaskRefused
from aggregator.events import (
    Scheduler,
)
from aggregator.events.tasks import SECOND, MemoryTasks, Task
from tests import events_kit
from tests.events_kit import SOON, Inbox, TurnedTasks
from tests.waiting import until

system = events_kit.system
tasks = events_kit.tasks
inbox = events_kit.inbox
DAY = 86_400


@pytest.fixture
def scheduler(system: str, tasks: TurnedTasks) -> Iterator[Scheduler]:
    """One that is not active: only what it keeps is looked at."""
    found = Scheduler(tasks=tasks)
    yield found
    found.terminate()


def ms(tasks: TurnedTasks, seconds: float) -> int:
    """The time of day so many seconds from now, in milliseconds."""
    return int((tasks.now() + tasks.ahead() + seconds * SECOND) / 1000)


def added(scheduler: Scheduler, tasks: TurnedTasks, **given: Any) -> Task:
    reply = scheduler.add_task(**{"desired_origin": "me", "interval_seconds": 10, **given})
    found = tasks.find(reply.task_id)
    assert found is not None
    return found


class TestAdding:
    def test_is_due_at_once_without_a_start(self, scheduler: Scheduler, tasks: TurnedTasks) -> None:
        task = added(scheduler, tasks, task_id="t", interval_seconds=0.5)
        assert task == Task(id="t", origin="me", interval=SECOND // 2, next_due=tasks.now())

    def test_is_due_at_its_start(self, scheduler: Scheduler, tasks: TurnedTasks) -> None:
        task = added(scheduler, tasks, start_time=ms(tasks, 60), end_time=ms(tasks, 90))
        assert task.next_due == tasks.now() + 60 * SECOND
        assert task.ends == tasks.now() + 90 * SECOND

    @pytest.mark.parametrize(("ago", "due"), [(0, 0), (1, 9), (10, 0), (25, 5)])
    def test_a_start_that_is_over_gives_the_rhythm(
        self, scheduler: Scheduler, tasks: TurnedTasks, ago: int, due: int
    ) -> None:
        task = added(scheduler, tasks, start_time=ms(tasks, -ago))
        assert task.next_due == tasks.now() + due * SECOND

    def test_makes_an_id(self, scheduler: Scheduler, tasks: TurnedTasks) -> None:
        ids = {added(scheduler, tasks).id for _ in range(3)}
        assert len(ids) == 3
        assert all(ids)

    def test_of_the_same_id_changes_nothing(self, scheduler: Scheduler, tasks: TurnedTasks) -> None:
        first = scheduler.add_task(desired_origin="me", interval_seconds=10, task_id="t")
        again = scheduler.add_task(desired_origin="you", interval_seconds=20, task_id="t")
        assert (first.duplicate, again.duplicate) == (False, True)
        assert again.task_id == "t"
        assert [task.origin for task in tasks.all()] == ["me"]

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"interval_seconds": 0}, "interval_seconds"),
            ({"interval_seconds": -1}, "interval_seconds"),
            ({"interval_seconds": float("nan")}, "interval_seconds"),
            ({"interval_seconds": 1e12}, "interval_seconds"),
            ({"desired_origin": ""}, "desired_origin"),
            ({"desired_origin": "x" * 300}, "desired_origin"),
            ({"desired_origin": "unknown"}, "stands for one that is not known"),
            ({"task_id": "x" * 256}, "task_id"),
            ({"task_id": "\ud800"}, "task_id"),
            ({"end": 9000 * 366 * DAY}, "after the year 9999"),
            ({"start": 367 * DAY}, "more than a year ahead"),
            ({"end": -1}, "end_time"),
            ({"start": 60, "end": 59}, "end_time"),
        ],
    )
    def test_what_makes_no_sense_is_a_bad_request(
        self, scheduler: Scheduler, tasks: TurnedTasks, given: dict[str, Any], said: str
    ) -> None:
        for name in ("start", "end"):
            if name in given:
                given = {**given, f"{name}_time": ms(tasks, given[name])}
                del given[name]
        with pytest.raises(TaskRefused, match=said) as refused:
            added(scheduler, tasks, **given)
        assert refused.value.code == "BAD_REQUEST"
        assert tasks.all() == []

    def test_a_year_ahead_is_not_more_than_that(
        self, scheduler: Scheduler, tasks: TurnedTasks
    ) -> None:
        assert added(scheduler, tasks, start_time=ms(tasks, 366 * DAY))

    def test_ends_at_a_number(
        self, scheduler: Scheduler, tasks: TurnedTasks, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("aggregator.events.scheduler.MOST_TASKS", 2)
        added(scheduler, tasks)
        added(scheduler, tasks)
        with pytest.raises(TaskRefused, match="there are 2 tasks"):
            added(scheduler, tasks)

    def test_is_over_once_it_was_terminated(self, system: str) -> None:
        scheduler = Scheduler()
        scheduler.terminate()
        with pytest.raises(EventNotReady):
            scheduler.add_task(desired_origin="me", interval_seconds=1)


def test_removing_tells_whether_there_was_one(scheduler: Scheduler, tasks: TurnedTasks) -> None:
    task = added(scheduler, tasks)
    assert scheduler.remove_task(task.id).status == "OK"
    assert scheduler.remove_task(task.id).status == "NOT_FOUND"
    assert tasks.all() == []


class TestActive:
    def test_publishes_again_and_again(self, inbox: Inbox) -> None:
        with Scheduler() as scheduler:
            scheduler.add_task(desired_origin="me", interval_seconds=0.1, task_id="t")
            assert [inbox.next().content.task_id for _ in range(3)] == ["t"] * 3
            scheduler.remove_task("t")

    def test_takes_up_what_is_kept(self, inbox: Inbox) -> None:
        tasks = MemoryTasks()
        Scheduler(tasks=tasks).add_task(desired_origin="me", interval_seconds=60)
        with Scheduler(tasks=tasks):
            assert inbox.next().routing_key == "2001.me"

    def test_notices_what_others_add_and_remove(self, inbox: Inbox) -> None:
        tasks = MemoryTasks()
        other = Scheduler(tasks=tasks)
        with Scheduler(tasks=tasks, look_every=0.05) as scheduler:
            other.add_task(desired_origin="me", interval_seconds=60, task_id="t")
            assert inbox.next().content.task_id == "t"
            other.remove_task("t")
            until(lambda: scheduler._arranged == {}, within=SOON)

    def test_is_activated_once_the_store_is_there(self, inbox: Inbox) -> None:
        class Late(MemoryTasks):
            is_there = False

            def all(self) -> list[Task]:
                if not self.is_there:
                    self.is_there = True
                    raise StoreUnavailable("away")
                return super().all()

        scheduler = Scheduler(tasks=Late())
        scheduler.add_task(desired_origin="me", interval_seconds=60, task_id="t")
        with pytest.raises(StoreUnavailable):
            scheduler.activate()
        scheduler.activate()
        assert inbox.next().content.task_id == "t"
        scheduler.terminate()

    def test_outlives_a_store_that_is_away_for_a_while(
        self, inbox: Inbox, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Shaky(MemoryTasks):
            failures = 0

            def find(self, task_id: str) -> Task | None:
                if self.failures < 1:
                    self.failures += 1
                    raise StoreUnavailable("away")
                return super().find(task_id)

        with Scheduler(tasks=Shaky(), look_every=0.05) as scheduler:
            scheduler.add_task(desired_origin="me", interval_seconds=60, task_id="t")
            assert inbox.next().content.task_id == "t"
        assert "has no turn now: away" in caplog.text
