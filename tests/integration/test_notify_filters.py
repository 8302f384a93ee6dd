"""Filters in their own process: an answer is that to the question."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from aggregator.errors import QueryFailed, StoreUnavailable
from aggregator.notify.filters import Filters
from aggregator.wire.subscribing import Condition

from .probe_kit import processes

TRUE, FALSE = Condition("true()", ()), Condition("false()", ())
#: Takes far longer than it may.
SLOW = Condition("count(//*[count(//*[count(//*[count(//*) > 0]) > 0]) > 0]) > 0", ())
LARGE = b"<a>" + b"<b/>" * 2000 + b"</a>"


@asynccontextmanager
async def filters() -> AsyncIterator[Filters]:
    made = Filters()
    try:
        yield made
    finally:
        made.close()


def test_who_stops_waiting_leaves_no_answer_for_the_next() -> None:
    async def run() -> None:
        async with filters() as asked:
            assert await asked.holds(TRUE, b"<a/>")
            for turn in range(40):
                question = asyncio.create_task(asked.holds(TRUE, LARGE))
                await asyncio.sleep(0.0002 * (turn % 10))
                question.cancel()
                with suppress(asyncio.CancelledError):
                    await question
                assert not await asked.holds(FALSE, b"<a/>")

    asyncio.run(run())


def test_a_process_that_can_not_be_started_is_no_fault_of_the_filter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_process(*args: object, **options: object) -> None:
        raise OSError("too many processes")

    async def run() -> None:
        async with filters() as asked:
            with monkeypatch.context() as failing:
                failing.setattr("subprocess.Popen", no_process)
                with pytest.raises(StoreUnavailable, match="can't be started now"):
                    await asked.holds(TRUE, b"<a/>")
            assert await asked.holds(TRUE, b"<a/>")

    asyncio.run(run())


def test_one_that_takes_too_long_fails_and_the_next_is_answered() -> None:
    async def run() -> None:
        async with filters() as asked:
            with pytest.raises(QueryFailed, match="too long"):
                await asked.holds(SLOW, LARGE)
            assert await asked.holds(TRUE, LARGE)
            with pytest.raises(QueryFailed, match="could not be evaluated"):
                await asked.holds(Condition("unknown()", ()), b"<a/>")
            assert not await asked.holds(FALSE, LARGE)

    before = processes("aggregator.notify.filter_process")
    asyncio.run(run())
    assert processes("aggregator.notify.filter_process") == before
