"""REQUESTs of clients to the aggregators that answer their type, each within its time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from aggregator.errors import AggregatorFailed, StoreUnavailable
from aggregator.reports.feeding import LOOK, PAUSE, next_look
from aggregator.reports.singleton import LeaseLost, Reach, Singleton
from aggregator.store.report_requests import (
    RequestAnswer,
    WaitingRequest,
    answer_requests,
    waiting_requests,
)

logger = logging.getLogger(__name__)

#: REQUESTs of one look.
_MOST = 1000
_SECOND = 1_000_000
_LATE = RequestAnswer("hung", "text", b"the aggregator did not answer in time")
_NOBODY = RequestAnswer("unknown", "text", b"no aggregator answers this type")


class Answering:
    """Answers what waits, under one lease."""

    def __init__(
        self,
        singletons: Sequence[Singleton],
        *,
        reach: Reach,
        clock: Callable[[], int],
    ) -> None:
        self._singletons = singletons
        self._reach = reach
        self._clock = clock
        self._busy: dict[int, asyncio.Task[None]] = {}
        self._asked_for: set[asyncio.Task[RequestAnswer]] = set()
        self._answers: list[tuple[int, RequestAnswer]] = []
        self._some = asyncio.Event()

    async def run(self) -> None:
        """Look for REQUESTs for ever."""
        pause = LOOK
        try:
            while True:
                try:
                    pause = next_look(pause, found=await self._look())
                    await asyncio.sleep(pause)
                except StoreUnavailable as error:
                    logger.warning("REQUESTs wait for the store: %s", error)
                    await asyncio.sleep(PAUSE)
        finally:
            for task in (*self._busy.values(), *self._asked_for):
                task.cancel()

    async def tell(self) -> None:
        """Store answers for ever; raises LeaseLost."""
        while True:
            await self._some.wait()
            self._some.clear()
            answers, self._answers = self._answers, []
            try:
                await self._reach.record(partial(answer_requests, answers=answers))
            except StoreUnavailable as error:
                # Who asked is told by the clock that nobody answered; the others need not wait.
                logger.warning("%d REQUESTs are not answered: %s", len(answers), error)
            for number, _ in answers:
                self._busy.pop(number, None)

    async def _look(self) -> bool:
        """Take up what is new; whether there is any REQUEST."""
        question = partial(waiting_requests, now=self._clock(), most=_MOST)
        for request in await self._reach.ask(question):
            if request.id not in self._busy:
                task = asyncio.create_task(self._answer(request))
                self._busy[request.id] = task
        return bool(self._busy)

    async def _answer(self, request: WaitingRequest) -> None:
        left = max(0.0, (request.deadline - self._clock()) / _SECOND)
        # One that is late goes on: to give it up would cost the aggregator its process.
        asked = asyncio.create_task(self._asked(request))
        self._asked_for.add(asked)
        asked.add_done_callback(self._is_through)
        done, _ = await asyncio.wait({asked}, timeout=left)
        answer = asked.result() if done else _LATE
        self._answers.append((request.id, answer))
        self._some.set()

    def _is_through(self, asked: asyncio.Task[RequestAnswer]) -> None:
        self._asked_for.discard(asked)

    async def _asked(self, request: WaitingRequest) -> RequestAnswer:
        try:
            return await self._found(request)
        except AggregatorFailed as error:
            reason = "died" if error.reason == "down" else error.reason
            return RequestAnswer(reason, "text", str(error).encode(errors="replace"))
        except LeaseLost:
            return _LATE
        except Exception:
            logger.exception("bug in answering a REQUEST")
            return RequestAnswer("failed", "text", b"an internal error")

    def _is_in_time(self, request: WaitingRequest) -> bool:
        return self._clock() < request.deadline

    async def _found(self, request: WaitingRequest) -> RequestAnswer:
        """The first answer that is one, of those who answer the type as they were started."""
        while not (answering := [one for one in self._singletons if one.answers(request.type)]):
            # One that is being started may answer it.
            if not any(one.is_starting for one in self._singletons):
                return _NOBODY
            if not self._is_in_time(request):
                return _LATE
            await asyncio.sleep(LOOK)
        for one in answering:
            reply = await one.call(
                {"call": "request", "type": request.type, "arguments": dict(request.arguments)},
                is_wanted=lambda: self._is_in_time(request),
            )
            if reply.outcome == "answered":
                return RequestAnswer("answered", reply.kind, reply.data)
            if reply.outcome != "none":
                text = f"{one.name}: {reply.error}"
                return RequestAnswer(reply.outcome, "text", text.encode(errors="replace"))
        return RequestAnswer("none", "", b"")
