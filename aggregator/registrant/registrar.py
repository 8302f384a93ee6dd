"""Keeps many registrations at once: each at its own time, each group at its own pace."""

from __future__ import annotations

import heapq
import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from aggregator.client.replies import describe
from aggregator.errors import RemoteError
from aggregator.registrant.block import RegistrationParameters
from aggregator.registrant.kept import Clock, KeptRegistration, Open, Round
from aggregator.registrant.lanes import Done, Lanes

logger = logging.getLogger(__name__)
#: Seconds that ending all registrations may take.
END_WITHIN = 30.0


class Report(Protocol):
    """Told of what happens; called from one thread."""

    def good_round(self, kept: KeptRegistration, what: Round) -> None:
        """A registration was added or renewed."""

    def bad_round(self, kept: KeptRegistration, reason: str, *, retry: float | None) -> None:
        """A round failed; it is tried again after `retry` seconds, or never (None)."""

    def first_round_over(self) -> None:
        """Every registration had its first round."""

    def ended(self, kept: KeptRegistration, reason: str) -> None:
        """An entry was ended, or could not be, for a reason."""


@dataclass(frozen=True, slots=True)
class _Work:
    kept: KeptRegistration
    action: Literal["refresh", "end"]


class Registrar:
    """Runs the rounds of registrations until it is told to stop."""

    def __init__(
        self,
        parameters: Sequence[RegistrationParameters],
        *,
        open: Open,
        report: Report,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or Clock()
        self._report = report
        self.registrations = [
            KeptRegistration(one, open=open, clock=self._clock) for one in parameters
        ]
        self._lanes: Lanes[_Work] = Lanes((one.group for one in parameters), do=_do)
        self._due: list[tuple[float, int, KeptRegistration]] = []
        self._order = itertools.count()
        self._busy: set[KeptRegistration] = set()
        self._waits_for_first = len(self.registrations)
        self._stopping = False

    @property
    def standing(self) -> int:
        """How many registrations had a good last round."""
        return sum(kept.entry is not None and not kept.failures for kept in self.registrations)

    def stop(self) -> None:
        """Let `keep` and `end_all` return soon; may be called from a signal handler."""
        self._stopping = True
        self._lanes.wake()

    def register_once(self) -> None:
        """One round for each registration, then return."""
        self._run(once=True, until=None)

    def keep(self, *, seconds: float | None = None) -> None:
        """Refresh the registrations until `stop`, or for so many seconds."""
        self._run(once=False, until=None if seconds is None else self._clock.steady() + seconds)

    def end_all(self, *, within: float = END_WITHIN) -> int:
        """End every entry; how many could not be ended within so many seconds."""
        self._stopping = False
        until = self._clock.steady() + within
        self._busy.difference_update(work.kept for work in self._lanes.cancel())
        for kept in self.registrations:
            # What is being refreshed at this moment is ended when that is over.
            if kept.entry is not None and kept not in self._busy:
                self._submit(kept, "end")
        while self._lanes.under_way and not self._stopping and self._clock.steady() < until:
            done = self._next_done(max(0.0, until - self._clock.steady()))
            if done is not None:
                self._after_end(done)
        return sum(kept.entry is not None for kept in self.registrations)

    def close(self) -> None:
        """Let the threads go; what hangs ends with its time-out."""
        self._lanes.close()

    def _run(self, *, once: bool, until: float | None) -> None:
        for kept in self.registrations:
            self._submit(kept, "refresh")
        while not self._stopping and not (once and not self._waits_for_first):
            done = self._next_done(self._patience(until))
            if done is not None:
                self._after_round(done, once=once)
            now = self._clock.steady()
            if until is not None and now >= until:
                return
            while self._due and self._due[0][0] <= now:
                self._submit(heapq.heappop(self._due)[2], "refresh")

    def _patience(self, until: float | None) -> float | None:
        moments = [self._due[0][0]] if self._due else []
        moments += [] if until is None else [until]
        return max(0.0, min(moments) - self._clock.steady()) if moments else None

    def _submit(self, kept: KeptRegistration, action: Literal["refresh", "end"]) -> None:
        self._busy.add(kept)
        self._lanes.submit(kept.parameters.group, _Work(kept, action))

    def _next_done(self, timeout: float | None) -> Done[_Work] | None:
        done = self._lanes.next_done(timeout)
        if done is not None:
            self._busy.discard(done.work.kept)
        return done

    def _after_round(self, done: Done[_Work], *, once: bool) -> None:
        kept = done.work.kept
        ended = self._clock.steady()
        if done.error is None:
            wait = kept.pause
            self._report.good_round(kept, kept.last_round)
        else:
            wait = kept.retry_after()
            retry = None if once else wait
            self._report.bad_round(kept, _reason(done.error), retry=retry)
        heapq.heappush(self._due, (ended + wait, next(self._order), kept))
        if self._waits_for_first and kept.rounds == 1:
            self._waits_for_first -= 1
            if not self._waits_for_first:
                self._report.first_round_over()

    def _after_end(self, done: Done[_Work]) -> None:
        kept = done.work.kept
        if done.work.action == "end":
            self._report.ended(kept, "" if done.error is None else _reason(done.error))
        elif kept.entry is not None:
            self._submit(kept, "end")


def _do(work: _Work) -> None:
    if work.action == "refresh":
        work.kept.refresh()
    else:
        work.kept.end()


def _reason(error: Exception) -> str:
    if isinstance(error, RemoteError):
        return describe(error)
    # Anything else is a mistake of ours; the other registrations go on.
    logger.error("A round failed for a reason that it must not have", exc_info=error)
    return f"internal error: {type(error).__name__}"
