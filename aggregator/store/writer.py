"""One thread per process that writes: it commits together whatever waits.

A commit that is durable costs a write to disk, whether it holds one unit of work or a hundred.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, cast

from aggregator.errors import StoreUnavailable
from aggregator.store.clock import StoreClock
from aggregator.store.committer import Committer, Job
from aggregator.store.database import Database
from aggregator.store.filelock import LockWait
from aggregator.store.write import Write
from aggregator.waiting import waiting

T = TypeVar("T")
Unit = Callable[[Write], T]

# A tenth of the time-out is left for the answer to reach who asked.
_PATIENCE = 0.9


class Writer:
    """Runs units of work in transactions.

    A unit may run more than once (what it did before is rolled back then), so it does nothing but
    work on the store, and it checks before it writes. A RequestError that it raises before it
    wrote costs the others nothing; after any other error the units are run again, each alone.
    """

    def __init__(self, database: Database, clock: StoreClock, *, write_timeout: float) -> None:
        self.lock_wait: LockWait = database.lock_wait
        self._committer = Committer(database, clock)
        #: Seconds for which it is waited for a commit.
        self.patience = _PATIENCE * write_timeout
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def run(self, unit: Unit[T], *, timeout: float | None = None) -> T:
        """What `unit` returned, once that is durable. `timeout` in seconds.

        Raises what `unit` raised, or StoreUnavailable in time; then nothing was changed, unless
        the text says that it is in doubt.
        """
        patience = self.patience if timeout is None else timeout
        with waiting():
            job = self.start(unit)
            with contextlib.suppress(TimeoutError):
                return cast(T, job.future.result(patience))
        return cast(T, self.outcome(job, patience=patience))

    def start(self, unit: Unit[Any]) -> Job:
        """Have `unit` run, for who must not block: who has waited long enough asks `outcome`."""
        job = Job(unit)
        with self._starting:
            if self._closed:
                raise StoreUnavailable("the store is closed: this process ends")
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._write, name="store-writer", daemon=True
                )
                self._thread.start()
            self._queue.put(job)
        return job

    def outcome(self, job: Job, *, patience: float | None = None) -> Any:
        """What `run` returns or raises, at once: what is not done is given up, if that can be."""
        if not job.future.done():
            waited = self.patience if patience is None else patience
            if self._committer.give_up(job):
                raise StoreUnavailable(f"nothing could be written in {waited:g} s; nothing changed")
            if not job.future.done():
                raise StoreUnavailable(
                    f"the commit was not confirmed in {waited:g} s; whether it happened is in doubt"
                )
        return job.future.result()

    def submit(self, unit: Unit[T]) -> Future[T]:
        """As `run`, for who must not block; cancelling it before its turn keeps it from running.

        It may stay open for as long as the database hangs: wait with a time limit.
        """
        return cast("Future[T]", self.start(unit).future)

    def close(self) -> None:
        """Run what was given so far and end the thread."""
        with self._starting:
            self._closed = True
            if self._thread is None:
                return
            self._queue.put(None)
        self._thread.join(self.patience)

    def _write(self) -> None:
        waiting: deque[Job] = deque()
        ending = False
        while waiting or not ending:
            if not waiting:
                ending |= _take(waiting, self._queue.get())
            try:
                while True:
                    ending |= _take(waiting, self._queue.get_nowait())
            except Empty:
                pass
            self._committer.commit(waiting)
        self._committer.close()


def _take(waiting: deque[Job], job: Job | None) -> bool:
    """Let `job` wait with the others; whether it was the sign to end."""
    if job is None:
        return True
    waiting.append(job)
    return False
