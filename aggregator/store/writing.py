"""Use cases that write, in steps: what is checked before, the unit of work, what is said after.

Such a use case is a generator that yields its units of work one by one, is sent what each returned
(or has thrown into it what it raised), and returns its result. So it can be run by a thread that
waits for the commits, or be left while one is under way and gone on with by whoever likes. It may
also yield something else to wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from aggregator.store.committer import Job
from aggregator.store.writer import Unit, Writer
from aggregator.waiting import waiting

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Awaited:
    """What a use case waits for beside a commit; TimeoutError after `patience` seconds."""

    future: Future[Any]
    patience: float


Step = Unit[Any] | Awaited
Writing = Generator[Step, Any, T]


def write_now(writer: Writer, writing: Writing[T]) -> T:
    """The result of a use case; waits for its commits."""
    found: Any = None
    error: Exception | None = None
    while True:
        try:
            step = writing.send(found) if error is None else writing.throw(error)
        except StopIteration as end:
            return cast(T, end.value)
        try:
            found, error = _done(writer, step), None
        except Exception as raised:
            error = raised


def _done(writer: Writer, step: Step) -> Any:
    if not isinstance(step, Awaited):
        return writer.run(step)
    with waiting():
        return step.future.result(step.patience)


def begin(writer: Writer, writing: Writing[T]) -> T | Begun[T]:
    """The result of a use case that writes nothing, else one whose first step is under way."""
    return _go_on(writer, writing)


class Begun(Generic[T]):
    """A use case of which a step is under way: a unit of work, or what else it waits for.

    `patience` is for how many seconds one should wait before giving up.
    """

    def __init__(self, writer: Writer, writing: Writing[T], step: Job | Awaited) -> None:
        self.patience = step.patience if isinstance(step, Awaited) else writer.patience
        self._writer = writer
        self._writing = writing
        self._step = step

    def when_done(self, call: Callable[[], None]) -> None:
        """Have `call` called, in any thread, once `finish` may be."""
        self._step.future.add_done_callback(lambda _: call())

    def finish(self) -> T | Begun[T]:
        """The result, or what it waits for next; waits no longer for a step that is not done."""
        step = self._step
        try:
            if isinstance(step, Awaited):
                found = step.future.result(0)
            else:
                found = self._writer.outcome(step)
        except Exception as error:
            return _go_on(self._writer, self._writing, error=error)
        return _go_on(self._writer, self._writing, found=found)


def _go_on(
    writer: Writer, writing: Writing[T], *, found: Any = None, error: Exception | None = None
) -> T | Begun[T]:
    while True:
        try:
            step = writing.send(found) if error is None else writing.throw(error)
        except StopIteration as end:
            return cast(T, end.value)
        if isinstance(step, Awaited):
            return Begun(writer, writing, step)
        try:
            return Begun(writer, writing, writer.start(step))
        except Exception as raised:
            error = raised
