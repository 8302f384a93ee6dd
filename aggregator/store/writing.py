"""Use cases that write, in steps: what is checked before, the unit of work, what is said after.

Such a use case is a generator that yields its unit of work once, is sent what that returned (or has
thrown into it what it raised), and returns its result. So it can be run by a thread that waits for
the commit, or be left while the commit is under way and gone on with by whoever likes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar, cast

from aggregator.store.committer import Job
from aggregator.store.writer import Unit, Writer

T = TypeVar("T")

Writing = Generator[Unit[Any], Any, T]


def write_now(writer: Writer, writing: Writing[T]) -> T:
    """The result of a use case; waits for its commit."""
    try:
        unit = next(writing)
    except StopIteration as end:
        return cast(T, end.value)
    try:
        found = writer.run(unit)
    except Exception as error:
        return _rest(writing, error=error)
    return _rest(writing, found=found)


def begin(writer: Writer, writing: Writing[T]) -> T | Begun[T]:
    """The result of a use case that writes nothing, else one whose unit waits for its commit."""
    try:
        unit = next(writing)
    except StopIteration as end:
        return cast(T, end.value)
    try:
        job = writer.start(unit)
    except Exception as error:
        return _rest(writing, error=error)
    return Begun(writer, writing, job)


class Begun(Generic[T]):
    """A use case whose unit of work was handed to the writer.

    `patience` is for how many seconds one should wait before giving up.
    """

    def __init__(self, writer: Writer, writing: Writing[T], job: Job) -> None:
        self.patience = writer.patience
        self._writer = writer
        self._writing = writing
        self._job = job

    def when_done(self, call: Callable[[], None]) -> None:
        """Have `call` called, in any thread, once `finish` may be."""
        self._job.future.add_done_callback(lambda _: call())

    def finish(self) -> T:
        """The result; waits no longer for a commit that is not done, see `Writer.run`."""
        try:
            found = self._writer.outcome(self._job)
        except Exception as error:
            return _rest(self._writing, error=error)
        return _rest(self._writing, found=found)


def _rest(writing: Writing[T], *, found: Any = None, error: Exception | None = None) -> T:
    try:
        if error is None:
            writing.send(found)
        else:
            writing.throw(error)
    except StopIteration as end:
        return cast(T, end.value)
    raise RuntimeError("a use case writes once, in one unit")
