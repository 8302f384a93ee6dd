"""Housekeeping that is stopped in the middle of a job."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from aggregator.collect.housekeeping import Housekeeping
from aggregator.collect.pruning import Pruning


class HangingRecording:
    """A store that takes no write."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def write(self, unit: object) -> None:
        self.asked.set()
        await asyncio.Event().wait()


def test_a_stop_in_the_middle_of_a_job_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        recording = HangingRecording()
        housekeeping = Housekeeping(
            cast(Any, recording),
            process="one",
            is_leader=lambda: True,
            interval=0.01,
            changes_kept=60,
        )
        housekeeping.start()
        await asyncio.wait_for(recording.asked.wait(), 30)
        housekeeping.stop()
        for _ in range(5):
            await asyncio.sleep(0)

    asyncio.run(run())
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_stop_before_a_job_has_begun_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        housekeeping = Housekeeping(
            cast(Any, HangingRecording()),
            process="one",
            is_leader=lambda: True,
            interval=60,
            changes_kept=600,
        )
        housekeeping.start()
        scheduler = housekeeping._scheduler
        housekeeping.clock_was_set()
        # The scheduler stops in the loop's next turn, before the first steps of these jobs.
        housekeeping.stop()
        scheduler._process_jobs()
        assert scheduler._executors["default"]._pending_futures
        for _ in range(5):
            await asyncio.sleep(0)

    asyncio.run(run())
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_what_one_pruning_stumbles_over_is_nothing_to_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[str] = []

    class Recording:
        async def write(self, unit: Callable[[Any], Any]) -> Any:
            return unit(cast(Any, None))

    def fails(write: Any) -> int:
        raise ValueError("on purpose")

    left = [2, 1, 0]

    def works(write: Any) -> int:
        done.append("unit")
        return left.pop(0)

    prunings = [Pruning(fails), Pruning(works, lambda: done.append("committed"))]
    leads = iter([False, False])
    housekeeping = Housekeeping(
        cast(Any, Recording()),
        process="one",
        is_leader=lambda: next(leads, True),
        interval=60,
        changes_kept=600,
        prunings=prunings,
    )
    asyncio.run(housekeeping.prune())
    assert done == ["unit", "committed"] * 3
    assert "housekeeping failed" in caplog.text
