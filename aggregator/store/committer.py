"""One commit for many units of work, and what happens when something goes wrong in it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import groupby
from time import monotonic
from typing import Any

from sqlalchemy import Connection

from aggregator.errors import RequestError, StoreUnavailable
from aggregator.store.clock import StoreClock
from aggregator.store.closing import close_transaction
from aggregator.store.database import Database
from aggregator.store.joint import Joint
from aggregator.store.trouble import (
    DATABASE_ERRORS,
    cause,
    is_locked,
    is_lost,
    is_passing,
    unavailable,
)
from aggregator.store.write import Overtaken, Tally, Write

log = logging.getLogger(__name__)

# Seconds after which a transaction takes no further unit: other processes wait for their turn.
_BUDGET = 0.02

# Units of one transaction.
_MOST = 256

# How often a transaction is run that others got in the way of.
_TRIES = 4

_DOING = "writing to the store"


@dataclass(slots=True, eq=False)
class Job:
    """A unit of work on its way. `given_up`: nobody waits for it any more, it must not happen."""

    unit: Callable[[Write], Any]
    future: Future[Any] = field(default_factory=Future)
    given_up: bool = False
    committing: bool = False


@dataclass(frozen=True, slots=True)
class _Outcome:
    job: Job
    value: Any = None
    error: BaseException | None = None

    def tell(self) -> None:
        if self.error is not None:
            self.job.future.set_exception(self.error)
        else:
            self.job.future.set_result(self.value)


class _Spoilt(Exception):
    """A unit failed after something was written: the transaction is of no use to the others."""

    def __init__(self, job: Job, error: BaseException) -> None:
        super().__init__(str(error))
        self.job = job
        self.error = error


class _InDoubt(Exception):
    """The connection was lost while the commit was under way."""


class _GivenUp(Exception):
    """A unit of the transaction is not wanted any more."""


class Committer:
    """Owns the connection for writing. Used by one thread, but for `give_up`."""

    def __init__(self, database: Database, clock: StoreClock) -> None:
        self._database = database
        self._clock = clock
        self._connection: Connection | None = None
        self._gate = threading.Lock()

    def give_up(self, job: Job) -> bool:
        """Keep `job` from happening; False when its commit is under way already."""
        with self._gate:
            if job.future.cancel():
                return True
            job.given_up = not job.committing
            return job.given_up

    def commit(self, waiting: deque[Job]) -> None:
        """Run the jobs at the head of `waiting`, as many as there is time for, and commit them.

        Takes from `waiting` what it has dealt with, at least one.
        """
        jobs: list[Job] = []
        while waiting and len(jobs) < _MOST:
            job = waiting.popleft()
            if job.given_up or job.future.running() or job.future.set_running_or_notify_cancel():
                jobs.append(job)
        jobs = _joined([job for job in jobs if not _drop(job)])
        if not jobs:
            return
        done = self._together(jobs)
        waiting.extendleft(reversed(jobs[done:]))

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def _together(self, jobs: Sequence[Job]) -> int:
        """Deal with the first of `jobs` in one transaction; how many that were."""
        try:
            outcomes = self._tried_again(jobs)
        except _GivenUp:
            return 0
        except _Spoilt as spoilt:
            # Those behind it did not run yet and may go together.
            return self._alone(jobs[: jobs.index(spoilt.job) + 1], spoilt.error)
        except Exception as error:
            return self._failed(jobs, error)
        for outcome in outcomes:
            outcome.tell()
        return len(outcomes)

    def _failed(self, jobs: Sequence[Job], error: Exception) -> int:
        if isinstance(error, _InDoubt):
            return _refuse(jobs, error.__cause__ or error, "whether it was written is in doubt")
        if not isinstance(error, (Overtaken, *DATABASE_ERRORS)):
            # Ours, and unforeseen. The thread must live on: nobody else writes in this process.
            log.exception("A transaction failed for no reason of the database's or a unit's")
        elif not (is_lost(error) or is_locked(error) or isinstance(error, Overtaken)):
            return self._alone(jobs, error)
        return _refuse(jobs, error, _DOING)

    def _alone(self, jobs: Sequence[Job], error: BaseException) -> int:
        """Run each of `jobs` in its own transaction; where there is but one, tell it the error."""
        if len(jobs) == 1:
            if isinstance(error, DATABASE_ERRORS):
                error = unavailable(error, doing=_DOING)
            _Outcome(jobs[0], error=error).tell()
            return 1
        for job in jobs:
            while not _drop(job) and not self._together([job]):
                pass
        return len(jobs)

    def _tried_again(self, jobs: Sequence[Job]) -> list[_Outcome]:
        """Run a transaction, and again where that may well help."""
        for _ in range(_TRIES - 1):
            # A connection that was open before may have been lost since; a new one is good.
            old = self._connection is not None
            try:
                return self._transaction(jobs)
            except (Overtaken, *DATABASE_ERRORS) as error:
                lost = not isinstance(error, Overtaken) and not is_passing(error)
                if lost and not (old and is_lost(error)):
                    raise
                log.info("Trying a transaction again: %s", cause(error))
        return self._transaction(jobs)

    def _transaction(self, jobs: Sequence[Job]) -> list[_Outcome]:
        with self._database.turn():
            try:
                connection = self._connected()
                connection.exec_driver_sql(self._database.begin)
                outcomes = self._run(connection, jobs)
                self._commit(connection, outcomes)
            except BaseException as error:
                self._roll_back(error)
                raise
        return outcomes

    def _run(self, connection: Connection, jobs: Sequence[Job]) -> list[_Outcome]:
        tally = Tally()
        outcomes: list[_Outcome] = []
        began = monotonic()
        wrote = False
        for _, together in groupby(jobs, key=_kind):
            if outcomes and monotonic() - began > _BUDGET:
                break
            write = Write(connection, self._clock.now(), tally)
            outcomes += _done(write, list(together))
            wrote |= write.wrote
        if wrote:
            close_transaction(Write(connection, self._clock.now(), tally))
        return outcomes

    def _commit(self, connection: Connection, outcomes: Sequence[_Outcome]) -> None:
        with self._gate:
            if any(outcome.job.given_up for outcome in outcomes):
                raise _GivenUp
            for outcome in outcomes:
                outcome.job.committing = True
        try:
            connection.exec_driver_sql("COMMIT")
        except DATABASE_ERRORS as error:
            if is_lost(error) and not is_passing(error):
                raise _InDoubt from error
            raise

    def _roll_back(self, error: BaseException) -> None:
        """Leave no transaction open; where that can't be said, open a new connection next time."""
        connection = self._connection
        if connection is None:
            return
        if not (isinstance(error, _InDoubt) or is_lost(error)):
            # Closing alone would leave SQLite's lock with whatever still refers to a statement.
            try:
                if self._database.is_in_transaction(connection):
                    connection.exec_driver_sql("ROLLBACK")
            except DATABASE_ERRORS as failure:
                log.info("The connection is opened anew: %s", cause(failure))
            else:
                return
        self._connection = None
        connection.invalidate()
        connection.close()

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._database.writing.connect()
        connection = self._connection
        if self._clock.is_due():
            self._clock.correct(lambda: self._database.now(connection))
        return connection


def _joined(jobs: Sequence[Job]) -> list[Job]:
    """The jobs, those that go together one after the other: all came at the same time."""
    kinds: dict[object, list[Job]] = {}
    for job in jobs:
        kinds.setdefault(_kind(job), []).append(job)
    return [job for kind in kinds.values() for job in kind]


def _kind(job: Job) -> object:
    """Jobs of the same kind are one unit of work."""
    return job.unit.do if isinstance(job.unit, Joint) else job


def _done(write: Write, jobs: Sequence[Job]) -> list[_Outcome]:
    """Do a unit of work, be it of one job or of many that are joint."""
    for job in jobs:
        job.committing = False
    unit = jobs[0].unit
    try:
        if len(jobs) > 1 and isinstance(unit, Joint):
            found = unit.do(write, [job.unit.asked for job in jobs])  # type: ignore[attr-defined]
            return [_Outcome(job, value) for job, value in zip(jobs, found, strict=True)]
        return [_Outcome(jobs[0], unit(write))]
    except DATABASE_ERRORS as error:
        if is_lost(error) or is_locked(error) or is_passing(error):
            raise
        raise _Spoilt(jobs[-1], error) from error
    except BaseException as error:
        if len(jobs) > 1 or write.wrote or not isinstance(error, RequestError):
            raise _Spoilt(jobs[-1], error) from error
        return [_Outcome(jobs[0], error=error)]


def _drop(job: Job) -> bool:
    """Whether `job` was given up; its future is ended then."""
    if job.given_up and not job.future.done():
        job.future.set_exception(StoreUnavailable("given up"))
    return job.given_up


def _refuse(jobs: Sequence[Job], error: BaseException, doing: str) -> int:
    for job in jobs:
        if isinstance(error, DATABASE_ERRORS):
            refusal = unavailable(error, doing=doing)
        else:
            refusal = StoreUnavailable(f"{doing}: {error}")
        _Outcome(job, error=refusal).tell()
    return len(jobs)
