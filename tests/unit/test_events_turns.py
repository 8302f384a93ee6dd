"""Turns of tasks are taken when they are due, and once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aggregator.errors import BrokerUnavailable
from aggregator.events import (
    AppLoaderEventMessage,
    ScheduleEventPublisher,
    metrics,
)
from aggregator.events.messages import UnknownMessage
from aggregator.events.tasks import Task
from aggregator.events.turns import Turns, kept_payload
from tests import events_kit
from tests.events_kit import Inbox, TurnedTasks

system = events_kit.system
tasks = events_kit.tasks
inbox = events_kit.inbox
DAY = 86_400


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
