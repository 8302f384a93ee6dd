"""The scheduler: publishes event 2001 for each of its tasks, at the times of the task."""

from __future__ import annotations

import logging
import math
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from aggregator.errors import StoreUnavailable, TaskRefused
from aggregator.events.lifecycle import LifecycleObject
from aggregator.events.messages import Message
from aggregator.events.publishers import ScheduleEventPublisher
from aggregator.events.tasks import MILLISECOND, SECOND, MemoryTasks, Task, Tasks
from aggregator.events.topics import UNKNOWN, topic
from aggregator.events.turns import Turns, kept_payload

log = logging.getLogger(__name__)

#: Seconds between two events of a task, at least and at most.
SHORTEST, LONGEST = 0.1, 100 * 366 * 86_400.0
#: Seconds that the start of a task may lie ahead.
YEAR = 366 * 86_400
#: The last instant at which a task may end, in microseconds.
LATEST = 253_402_300_799 * SECOND
#: Tasks, and characters of the id of one.
MOST_TASKS, MOST_CHARACTERS = 10_000, 255
_WORKERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTaskReply:
    """A task that was added; `duplicate` if there was one of its id, which is left as it is."""

    task_id: str
    origin: str
    duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveTaskReply:
    """Whether there was such a task: `status` is ``OK`` or ``NOT_FOUND``."""

    task_id: str
    status: str = "OK"


class Scheduler(LifecycleObject):
    """Publishes for each task at its times; active from `activate` to `terminate`.

    `tasks` is where they are kept: `aggregator.events.stored_tasks.StoreTasks` keeps them in the
    project's store, where processes share them, and by default they end with this process. What
    other processes added and removed is noticed within `look_every` seconds.
    """

    def __init__(
        self,
        *,
        tasks: Tasks | None = None,
        look_every: float = 5.0,
        sys_name: str | None = None,
        broker: str | None = None,
    ) -> None:
        super().__init__()
        self._tasks = MemoryTasks() if tasks is None else tasks
        self._look_every = look_every
        self._publisher = ScheduleEventPublisher(sys_name=sys_name, broker=broker)
        self._turns = Turns(self._tasks, self._publisher)
        self._arranging = threading.Lock()
        # For which instant each task has a job. None are arranged any more once it has ended:
        # APScheduler lets nobody in while it waits for the last jobs.
        self._arranged: dict[str, int] = {}
        self._ended = False
        self._clock = BackgroundScheduler(
            timezone=UTC,
            executors={"default": {"type": "threadpool", "max_workers": _WORKERS}},
            # A job arranges the next one before it is quite over.
            job_defaults={"max_instances": 2, "coalesce": True, "misfire_grace_time": None},
        )

    def add_task(
        self,
        *,
        desired_origin: str,
        interval_seconds: float,
        task_id: str | None = None,
        start_time: int | None = None,
        end_time: int | None = None,
        payload: Message | None = None,
    ) -> AddTaskReply:
        """Publish an event from `desired_origin` every so many seconds.

        The first one is at `start_time`, by default now, the last not after `end_time`, by
        default never; both are milliseconds since 1970 UTC. The event carries `task_id`, one that
        is made where none is given, and `payload`. Raises TaskRefused for what makes no sense, a
        start more than a year ahead among it, EventUnwritable for a payload that is too large,
        and StoreUnavailable.
        """
        self._not_terminated()
        task = self._task(
            task_id or uuid.uuid4().hex, desired_origin, interval_seconds, start_time, end_time
        )
        # Within an event that is not too large itself.
        limit = self._publisher.settings.max_message // 2
        task = replace(task, payload=kept_payload(payload, limit=limit))
        added = self._tasks.add(task, most=MOST_TASKS)
        if added:
            self._arrange(task)
        return AddTaskReply(task_id=task.id, origin=task.origin, duplicate=not added)

    def remove_task(self, task_id: str) -> RemoveTaskReply:
        """Publish no more for a task; raises StoreUnavailable."""
        found = self._tasks.remove(task_id)
        self._drop(task_id)
        return RemoveTaskReply(task_id=task_id, status="OK" if found else "NOT_FOUND")

    def on_activate(self, *args: Any, **kwargs: Any) -> None:
        """Take up the tasks that are kept; raises StoreUnavailable."""
        # It logs every run of a job, which says nothing here.
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        if not self._clock.running:
            self._clock.start(paused=True)
        self._look()
        self._clock.add_job(self._looked, "interval", seconds=self._look_every)
        self._clock.resume()

    def on_terminate(self, *args: Any, **kwargs: Any) -> None:
        """End; waits for events that are just being published. Tasks stay where they are kept."""
        with self._arranging:
            self._ended = True
        if self._clock.running:
            self._clock.shutdown(wait=True)
        self._publisher.terminate()

    def _task(
        self,
        task_id: str,
        origin: str,
        interval: float,
        start_time: int | None,
        end_time: int | None,
    ) -> Task:
        if len(task_id) > MOST_CHARACTERS:
            raise TaskRefused(f"task_id has more than {MOST_CHARACTERS} characters")
        try:
            topic(ScheduleEventPublisher.event_id, origin)
            # What no event can carry would only fail at each turn.
            self._publisher.create_event(origin=origin, task_id=task_id)
        except (AssertionError, ValueError) as error:
            raise TaskRefused(f"desired_origin, task_id: {error}") from error
        if origin == UNKNOWN:
            raise TaskRefused(f"desired_origin: {UNKNOWN!r} stands for one that is not known")
        if not (math.isfinite(interval) and SHORTEST <= interval <= LONGEST):
            raise TaskRefused(
                f"interval_seconds is {interval:g}; it can be from {SHORTEST:g} to {LONGEST:g}"
            )
        now, ahead = self._tasks.now(), self._tasks.ahead()
        starts = now if start_time is None else start_time * MILLISECOND - ahead
        if starts > now + YEAR * SECOND:
            raise TaskRefused(f"start_time {start_time} is more than a year ahead")
        ends = None if end_time is None else end_time * MILLISECOND - ahead
        if ends is not None and ends < max(starts, now):
            raise TaskRefused(f"end_time {end_time} is over, or before the start")
        if ends is not None and ends > LATEST:
            raise TaskRefused(f"end_time {end_time} is after the year 9999; leave it out for never")
        every = round(interval * SECOND)
        # A start that is over gives the rhythm; what was before now is not made up for.
        due = starts if starts >= now else starts + every * -((starts - now) // every)
        return Task(id=task_id, origin=origin, interval=every, next_due=due, ends=ends)

    def _looked(self) -> None:
        try:
            self._look()
        except StoreUnavailable as error:
            log.warning("The tasks can't be read: %s", error)

    def _look(self) -> None:
        """Arrange for all tasks as they are kept now."""
        # What is arranged for meanwhile is not among those that were found.
        arranged = set(self._arranged)
        found = {task.id: task for task in self._tasks.all()}
        for task_id in arranged - set(found):
            self._drop(task_id)
        overdue = self._tasks.now() - int(self._look_every * SECOND)
        for task in found.values():
            # One that is overdue lost its job, or a clock was set; a job too many does no harm.
            if self._arranged.get(task.id) != task.next_due or task.next_due < overdue:
                self._arrange(task)

    def _arrange(self, task: Task) -> None:
        """Have a job at the instant at which the task is due."""
        with self._arranging:
            if self._ended or not self._clock.running:
                return
            wait = timedelta(microseconds=max(task.next_due - self._tasks.now(), 0))
            self._arranged[task.id] = task.next_due
            self._clock.add_job(
                partial(self._take, task.id),
                "date",
                run_date=datetime.now(UTC) + wait,
                id=task.id,
                name=task.id,
                replace_existing=True,
            )

    def _drop(self, task_id: str) -> None:
        with self._arranging:
            if self._arranged.pop(task_id, None) is not None and not self._ended:
                # Its job may run at this moment, and will find the task gone.
                with suppress(JobLookupError):
                    self._clock.remove_job(task_id)

    def _take(self, task_id: str) -> None:
        try:
            task = self._turns.take(task_id)
        except StoreUnavailable as error:
            log.warning("The task %s has no turn now: %s", task_id, error)
            return
        if task is None:
            self._drop(task_id)
        else:
            self._arrange(task)
