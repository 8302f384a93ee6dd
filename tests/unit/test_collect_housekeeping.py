"""Housekeeping that is stopped in the middle of a job."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from aggregator.collect.housekeeping import Housekeeping


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
