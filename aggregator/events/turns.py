"""Taking the turns of tasks: of all processes that find one due, one publishes its event."""

from __future__ import annotations

import logging

from aggregator.errors import EventError
from aggregator.events import json_format, metrics
from aggregator.events.encoding import decode, encode
from aggregator.events.messages import Message
from aggregator.events.publishers import ScheduleEventPublisher
from aggregator.events.tasks import Task, Tasks

log = logging.getLogger(__name__)


class Turns:
    """Publishes the events of tasks that are due."""

    def __init__(self, tasks: Tasks, publisher: ScheduleEventPublisher) -> None:
        self._tasks = tasks
        self._publisher = publisher

    def take(self, task_id: str) -> Task | None:
        """Take the turn of a task if one is due; the task as it is kept now, None if it is gone.

        The turn is taken first and the event published then, so a turn is never taken twice: a
        process that dies in between, or finds the broker away, has missed it. Raises
        StoreUnavailable.
        """
        task = self._tasks.find(task_id)
        now = self._tasks.now()
        if task is None or task.next_due > now:
            return task
        later = task.following(now)
        if not self._tasks.move(task.id, due=task.next_due, later=later):
            metrics.FIRED.labels("taken").inc()
        else:
            self._fire(task, now)
        return self._tasks.find(task_id)

    def _fire(self, task: Task, now: int) -> None:
        missed = (now - task.next_due) // task.interval
        is_over = missed > 0 and task.ends is not None and now > task.ends
        if is_over and task.ends is not None:
            # None of those that it had left is published any more.
            missed = (task.ends - task.next_due) // task.interval + 1
        if missed:
            metrics.FIRED.labels("missed").inc(missed)
            log.warning("%d turns of the task %s were missed", missed, task.id)
        if is_over:
            return
        try:
            self._publisher.create_and_publish_event(
                origin=task.origin, task_id=task.id, payload=payload_of(task.payload)
            )
        except EventError as error:
            metrics.FIRED.labels("failed").inc()
            log.warning("The event of the task %s was not published: %s", task.id, error)
        else:
            metrics.FIRED.labels("published").inc()


def kept_payload(payload: Message | None, *, limit: int) -> bytes:
    """A payload as it is kept with its task; raises EventUnwritable."""
    return b"" if payload is None else encode(payload, encoding="json", limit=limit).body


def payload_of(kept: bytes) -> Message | None:
    """The payload that was kept; raises EventUnreadable."""
    if not kept:
        return None
    message = decode(kept, json_format.CONTENT_TYPE, {}, limit=len(kept))
    assert isinstance(message, Message)  # What was not would have been refused when it was kept.
    return message
