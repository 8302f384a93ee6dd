"""The collector's side of the probe server: start it, ask it to run probes, start it again."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Self

from aggregator.collect import probe_tree
from aggregator.collect.probe_link import ProbeLink
from aggregator.collect.probe_room import ProbeRoom
from aggregator.errors import AggregatorException
from aggregator.reports.process import RUNNING

logger = logging.getLogger(__name__)

Outcome = Literal["exit", "signal", "timeout", "overflow", "memory", "spawn-failed", "lost"]

_MARGIN = 10.0
"""Seconds past a probe's timeout after which the probe server itself is taken for hung."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_LIVED_WELL = 10.0


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """How a run ended.

    ``outcome``: ``exit`` and ``signal`` (it ended by itself; ``status`` is the exit code or the
    signal's number), ``timeout``, ``overflow`` (more output than allowed), ``memory`` (more memory
    in use, all its processes together, than allowed), ``spawn-failed`` (``status`` is the errno,
    ``stderr`` the reason), ``lost`` (the probe server died or did not answer).
    ``stdout`` is at most ``max_output`` bytes, ``stderr`` the first 512 bytes, ``seconds`` the
    time the probe took, ``left_behind`` the number of processes that outlived it and were ended.
    """

    outcome: Outcome
    status: int = 0
    stdout: bytes = b""
    stderr: str = ""
    seconds: float = 0.0
    left_behind: int = 0


_LOST = ProbeResult("lost", stderr="the probe server ended or did not answer")


class ProbeClient:
    """Runs executables through a probe server that is started again whenever it ends.

    Use `start`, `run` from any task of the same loop, and `close` at the end.
    """

    def __init__(self, *, max_concurrent: int, adopt: bool) -> None:
        self._slots = asyncio.Semaphore(max_concurrent)
        self._adopt = adopt
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[ProbeResult]] = {}
        self._room = ProbeRoom()
        self._link: ProbeLink | None = None
        self._ready = asyncio.Event()
        self._closing = asyncio.Event()
        self.restarts = 0
        if adopt:
            probe_tree.become_subreaper()
        self._upkeep = asyncio.create_task(self._keep_up(), name="probe server upkeep")

    @classmethod
    async def start(cls, *, max_concurrent: int = 64, adopt: bool = False) -> Self:
        """Start a probe server and wait until it takes runs.

        At most `max_concurrent` probes run at once; further calls of `run` wait for their turn.
        With `adopt` this process becomes a child subreaper: should the probe server and the
        keepers of its probes be killed together, what they leave becomes this process's and is
        ended. That ends every child of this process but the aggregators of reports: it must start
        no others itself that are to live.
        """
        client = cls(max_concurrent=max_concurrent, adopt=adopt)
        if not await client._is_up(within=_MARGIN):
            await client.close()
            raise AggregatorException("the probe server did not start; stderr holds the reason")
        return client

    @property
    def server_pid(self) -> int:
        """The probe server's process, 0 while there is none."""
        return self._link.pid if self._link else 0

    @property
    def running(self) -> int:
        """How many probes run or are being ended."""
        return len(self._waiting)

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str],
        timeout: float,
        max_output: int,
        memory_limit: int | None = None,
    ) -> ProbeResult:
        """Run one executable to its end.

        ``argv[0]`` is an absolute path. `timeout` is in seconds from its start: at its end the
        probe and all beneath it get SIGTERM, a second later SIGKILL. `max_output` and
        `memory_limit` are in bytes. Cancelling kills the probe at once.
        """
        async with self._slots:
            if not await self._is_up(within=timeout) or self._link is None:
                return _LOST
            link, number = self._link, next(self._numbers)
            order = {"op": "run", "id": number, "argv": list(argv), "env": dict(env)}
            limits = {"timeout": timeout, "max_output": max_output, "memory_limit": memory_limit}
            answer: asyncio.Future[ProbeResult] = asyncio.get_running_loop().create_future()
            self._waiting[number] = answer
            link.send({**order, **limits}, stdin)
            try:
                return await self._patiently(answer, link=link, timeout=timeout)
            except asyncio.CancelledError:
                link.send({"op": "end", "id": number})
                raise
            finally:
                del self._waiting[number]

    async def _patiently(
        self, answer: asyncio.Future[ProbeResult], *, link: ProbeLink, timeout: float
    ) -> ProbeResult:
        """The answer; where the server stays silent long past the timeout, kill it.

        The second look is for a process that was stopped itself: its timers fire when it wakes,
        before it has read the answers that came meanwhile.
        """
        for patience in (timeout + _MARGIN, 1.0):
            await asyncio.wait((answer,), timeout=patience)
            if answer.done():
                return answer.result()
        logger.error("the probe server %d does not answer and is killed", link.pid)
        link.kill()
        if link is self._link:
            self._ready.clear()
        return _LOST

    async def close(self) -> None:
        """End all probes and the probe server; runs in flight end as lost. Safe twice."""
        self._closing.set()
        if self._link is not None:
            self._link.hang_up()
        await self._upkeep
        await asyncio.to_thread(self._room.leave)

    async def _is_up(self, *, within: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ready.wait(), within)
        return self._ready.is_set()

    async def _keep_up(self) -> None:
        """Hold a probe server up; pause longer from one early end to the next."""
        pause = _FIRST_PAUSE
        while not self._closing.is_set():
            began = time.monotonic()
            await self._serve_once()
            if time.monotonic() - began > _LIVED_WELL:
                pause = _FIRST_PAUSE
            if self._closing.is_set():
                return
            logger.error("the probe server ended; it is started again in %.1f s", pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            self.restarts += 1

    async def _serve_once(self) -> None:
        """See one probe server through, from its start until nothing of it is left."""
        try:
            self._link = link = await ProbeLink.open(self._room.path)
        except OSError:
            logger.exception("the probe server could not be started")
            return
        try:
            await self._take_results(link)
        finally:
            self._ready.clear()
            self._link = None
            self._lose_all()
            await link.close()
            if self._adopt:
                end = partial(probe_tree.end_descendants, within=_MARGIN, spared=RUNNING)
                await asyncio.to_thread(end)

    async def _take_results(self, link: ProbeLink) -> None:
        if self._closing.is_set():
            return
        async for header, stdout in link.frames():
            if header.get("op") == "ready":
                self._ready.set()
                continue
            answer = self._waiting.get(header.pop("id"))
            if answer is not None and not answer.done():
                answer.set_result(ProbeResult(stdout=stdout, **header))

    def _lose_all(self) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result(_LOST)
