"""Tasks are checked, kept, due when they should be, and each turn is taken once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aggregator.errors import BrokerUnavailable, EventNotReady, StoreUnavailable, TaskRefused
from aggregator.events import (
    AppLoaderEventMessage,
    EventSubscriber,
    ScheduleEventPublisher,
    Scheduler,
    metrics,
)
from aggregator.events.messages import UnknownMessage
from aggregator.events.tasks import SECOND, MemoryTasks, Task
from aggregator.events.turns import Turns, kept_payload
from tests import events_kit
from tests.events_kit import SOON, Inbox
from tests.waiting import until

system = events_kit.system
DAY = 86_400


class TurnedTasks(MemoryTasks):
    """Tasks whose clock is turned by hand; the time of day is an hour ahead."""

    instant = 1_000_000 * SECOND

    def now(self) -> int:
        return self.instant

    def ahead(self) -> int:
        return 3600 * SECOND


@pytest.fixture
def tasks() -> TurnedTasks:
    return TurnedTasks()


@pytest.fixture
def scheduler(system: str, tasks: TurnedTasks) -> Iterator[Scheduler]:
    """One that is not active: only what it keeps is looked at."""
    found = Scheduler(tasks=tasks)
    yield found
    found.terminate()


@pytest.fixture
def inbox(system: str) -> Iterator[Inbox]:
    found = Inbox()
    subscriber = EventSubscriber()
    subscriber.on_data = found
    with subscriber:
        yield found


@pytest.fixture
def turns(tasks: TurnedTasks, system: str) -> Turns:
    return Turns(tasks, ScheduleEventPublisher())


@pytest.fixture
def counted() -> Callable[[], dict[str, float]]:
    """What was counted since, by outcome."""

    def values() -> dict[str, float]:
        (family,) = metrics.FIRED.collect()
        return {
            one.labels["outcome"]: one.value for one in family.samples if "created" not in one.name
        }

    before = values()
    return lambda: {
        key: value - before.get(key, 0)
        for key, value in values().items()
        if value != before.get(key, 0)
    }


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
            ({"task_id": "x" * 256}, "task_id"),
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


class TestTurns:
    def test_publish_and_move_on(self, tasks: TurnedTasks, turns: Turns, inbox: Inbox) -> None:
        payload = AppLoaderEventMessage(app_name="a", state="STARTED")
        kept = kept_payload(payload, limit=1000)
        tasks.add(
            Task(id="t", origin="me", interval=10, next_due=tasks.now(), payload=kept), most=9
        )
        found = turns.take("t")
        assert found is not None
        assert found.next_due == tasks.now() + 10
        data = inbox.next()
        assert data.routing_key == "2001.me"
        assert data.content.origin == "me"
        assert data.content.additional_data.task_id == "t"
        assert data.content.additional_data.payload == payload

    def test_wait_until_they_are_due(
        self, tasks: TurnedTasks, turns: Turns, counted: Callable[[], dict[str, float]]
    ) -> None:
        task = Task(id="t", origin="me", interval=10, next_due=tasks.now() + 1)
        tasks.add(task, most=9)
        assert turns.take("t") == task
        assert counted() == {}
        tasks.instant += 1
        turns.take("t")
        assert counted() == {"published": 1}

    def test_of_a_task_that_is_gone_are_none(
        self, turns: Turns, counted: Callable[[], dict[str, float]]
    ) -> None:
        assert turns.take("t") is None
        assert counted() == {}

    def test_that_were_missed_come_to_one(
        self, tasks: TurnedTasks, turns: Turns, counted: Callable[[], dict[str, float]]
    ) -> None:
        tasks.add(Task(id="t", origin="me", interval=10, next_due=tasks.now() - 35), most=9)
        found = turns.take("t")
        assert found is not None
        assert found.next_due == tasks.now() + 5
        assert counted() == {"published": 1, "missed": 3}

    def test_end_with_the_task(
        self, tasks: TurnedTasks, turns: Turns, counted: Callable[[], dict[str, float]]
    ) -> None:
        start = tasks.now()
        tasks.add(Task(id="t", origin="me", interval=10, next_due=start, ends=start + 10), most=9)
        assert turns.take("t") is not None
        tasks.instant += 11
        assert turns.take("t") is None
        assert tasks.all() == []
        assert counted() == {"published": 2}, "the last one was a little late"

    def test_are_not_made_up_for_after_the_end(
        self, tasks: TurnedTasks, turns: Turns, counted: Callable[[], dict[str, float]]
    ) -> None:
        start = tasks.now()
        tasks.add(Task(id="t", origin="me", interval=10, next_due=start, ends=start + 15), most=9)
        tasks.instant += 20
        assert turns.take("t") is None
        assert counted() == {"missed": 2}

    def test_are_taken_by_one(
        self, tasks: TurnedTasks, turns: Turns, counted: Callable[[], dict[str, float]]
    ) -> None:
        """Another process moves the task between this one's look and its own move."""

        class Overtaken(TurnedTasks):
            def move(self, task_id: str, *, due: int, later: int | None) -> bool:
                assert super().move(task_id, due=due, later=later)
                return super().move(task_id, due=due, later=later)

        overtaken = Overtaken()
        overtaken.add(Task(id="t", origin="me", interval=10, next_due=tasks.now()), most=9)
        found = Turns(overtaken, ScheduleEventPublisher()).take("t")
        assert found is not None
        assert found.next_due == tasks.now() + 10
        assert counted() == {"taken": 1}

    def test_that_could_not_be_published_are_missed(
        self,
        tasks: TurnedTasks,
        turns: Turns,
        counted: Callable[[], dict[str, float]],
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        def away(self: Any, **kwargs: Any) -> None:
            raise BrokerUnavailable("away")

        monkeypatch.setattr(ScheduleEventPublisher, "create_and_publish_event", away)
        tasks.add(Task(id="t", origin="me", interval=10, next_due=tasks.now()), most=9)
        found = turns.take("t")
        assert found is not None
        assert found.next_due == tasks.now() + 10
        assert counted() == {"failed": 1}
        assert "was not published: away" in caplog.text

    def test_carry_payloads_of_types_that_are_not_loaded(
        self, tasks: TurnedTasks, turns: Turns, inbox: Inbox
    ) -> None:
        payload = UnknownMessage(98_766, type_version=1, name="Theirs", values={"n": 1})
        kept = kept_payload(payload, limit=1000)
        tasks.add(
            Task(id="t", origin="me", interval=10, next_due=tasks.now(), payload=kept), most=9
        )
        turns.take("t")
        assert inbox.next().content.payload == payload


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
