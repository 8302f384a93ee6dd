"""Collections under way: each a task that ends with a result, in time, whatever a source does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

from aggregator.collect import metrics
from aggregator.collect.content import check_content, is_shipped, plain
from aggregator.collect.context import EntryContext
from aggregator.collect.schedule import Scheduled
from aggregator.collect.turns import Lane
from aggregator.contract import Collected, SourceType
from aggregator.errors import CollectError

logger = logging.getLogger(__name__)

_INTERNAL = ("internal", "the source failed; the service's log tells more")


@dataclass(frozen=True, slots=True)
class Result:
    """How one collection ended: `collected`, or `error` as code and message.

    ``attempt`` is the instant at which it began, ``epoch`` that of the lease then, ``skipped``
    the turns that were left out since the last result.
    """

    context: EntryContext
    attempt: int
    epoch: int
    collected: Collected | None
    error: tuple[str, str] | None
    skipped: int
    #: What of the inbox it was made of.
    messages: tuple[int, ...] = ()

    @property
    def brings(self) -> bool:
        """Whether there is content for the sinks."""
        return self.collected is not None and self.collected.content is not None


@dataclass(slots=True, eq=False)
class Run:
    """A collection under way; `deadline` in the loop's seconds."""

    scheduled: Scheduled
    lane: Lane
    context: EntryContext
    epoch: int
    attempt: int
    started: float
    deadline: float
    task: asyncio.Task[None] | None = None
    overdue: bool = False
    detail: str = ""
    bug: BaseException | None = None


class Dispatcher:
    """The port through which collections are handed out; this one runs them on the present loop.

    Results go to `on_result`, in no certain order.

    `limit` is the time in seconds after which a collection is ended that its own timeouts did
    not end.
    """

    def __init__(
        self, *, limit: float, on_result: Callable[[Run, Result], None], clock: Callable[[], int]
    ) -> None:
        self._limit = limit
        self._on_result = on_result
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        # In order of their start, and so of their deadlines.
        self._runs: dict[Run, None] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def start(
        self,
        scheduled: Scheduled,
        *,
        lane: Lane,
        context: EntryContext,
        source: SourceType | None,
        epoch: int,
    ) -> None:
        """Begin a collection; `source` is None where the plug-in is not installed any more."""
        started = self._loop.time()
        metrics.LATENESS.observe(max(0.0, started - scheduled.deadline))
        deadline = started + self._limit
        run = Run(scheduled, lane, context, epoch, self._clock(), started, deadline)
        self._runs[run] = None
        run.task = self._loop.create_task(self._collect(run, source))

    def end_overdue(self) -> None:
        """Cancel what has run for too long; what does not heed that, again after as long."""
        now = self._loop.time()
        while self._runs:
            run = next(iter(self._runs))
            if run.deadline > now:
                return
            run.overdue = True
            run.deadline = now + self._limit
            # Back to the end, where its new deadline belongs.
            self._runs[run] = self._runs.pop(run)
            if run.task is not None:
                run.task.cancel()

    def cancel_all(self) -> None:
        """End everything at once, without results."""
        runs = list(self._runs)
        self._runs.clear()
        for run in runs:
            if run.task is not None:
                run.task.cancel()

    async def finish(self, *, within: float) -> None:
        """Let collections end by themselves for `within` seconds."""
        tasks = [run.task for run in self._runs if run.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=within)

    async def _collect(self, run: Run, source: SourceType | None) -> None:
        collected: Collected | None = None
        error: tuple[str, str] | None = None
        try:
            collected = await _collected(run, source)
        except CollectError as failed:
            error = plain(failed.code, 64), plain(failed.message, 1000)
            run.detail = failed.detail
        except asyncio.CancelledError:
            if not run.overdue:
                raise
        except (Exception, SystemExit) as bug:
            error = _INTERNAL
            run.bug = bug
        if run.overdue:
            collected = None
            error = "timeout", f"the collection took longer than {self._limit:g} s"
        if run in self._runs:
            del self._runs[run]
            self._tell(run, collected, error)

    def _tell(self, run: Run, collected: Collected | None, error: tuple[str, str] | None) -> None:
        scheduled = run.scheduled
        outcome = error[0] if error else "success"
        metrics.collection(scheduled.source, outcome, self._loop.time() - run.started)
        _log(run, error)
        scheduled.busy = False
        scheduled.trouble = error[0] if error else ""
        skipped, scheduled.skipped = scheduled.skipped, 0
        # Where messages are received meanwhile, what is told last is the latest.
        attempt = run.attempt if run.context.assignment.plan.interval else self._clock()
        result = Result(run.context, attempt, run.epoch, collected, error, skipped)
        self._on_result(run, result)


def _log(run: Run, error: tuple[str, str] | None) -> None:
    """Log that trouble began or ended; what only goes on is told at the level of debugging."""
    before = run.scheduled.trouble
    if error is None:
        if before:
            logger.info("collected again", extra=run.context.words())
        return
    level = logging.WARNING if run.bug is None else logging.ERROR
    if before == error[0]:
        level = logging.DEBUG
    said = f"{error[1]} ({run.detail})" if run.detail else error[1]
    words = run.context.words()
    logger.log(level, "%s: %s", run.scheduled.source, said, exc_info=run.bug, extra=words)


async def _collected(run: Run, source: SourceType | None) -> Collected:
    if source is None:
        name = run.scheduled.source
        raise CollectError(f"the source {name} is not installed here", code="no-source")
    context = run.context
    plan = context.assignment.plan
    was_alone = context.alone
    async with context.turn if was_alone else nullcontext():
        collected = checked(await source.source.collect(plan, context=context), source)
    context.alone = False
    if was_alone:
        return collected
    if plan.upkeep and collected.content is not None:
        return _unless_overtaken(run, collected)
    return collected


def _unless_overtaken(run: Run, collected: Collected) -> Collected:
    """What a source asked for beside the messages that come, unless one came meanwhile, which may
    be newer: then it asks once more, and messages wait."""
    context = run.context
    if context.turn.locked() or context.received >= run.attempt:
        context.alone = True
        return Collected(None, again=0.0)
    return collected


def checked(collected: object, source: SourceType) -> Collected:
    """What a source brought; raises TypeError or MalformedRequest for what is not to be used."""
    if not isinstance(collected, Collected):
        raise TypeError(f"expected a Collected, not {type(collected).__name__}")
    if collected.remember and not all(isinstance(v, str) for v in collected.remember.values()):
        raise TypeError("expected only texts to remember")
    if collected.content is not None and not is_shipped(source.source):
        check_content(collected.content)
    return collected
