"""How often the inbox and the REQUESTs are looked at while there is nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from aggregator.reports.answering import Answering
from aggregator.reports.feeding import LOOK, QUIET, Feeding, next_look
from aggregator.reports.singleton import Reach


def feeding(reach: Reach) -> Any:
    return Feeding((), reach=reach, max_tries=1, clock=lambda: 0)


def answering(reach: Reach) -> Any:
    return Answering((), reach=reach, clock=lambda: 0)


@pytest.mark.parametrize("made", [feeding, answering])
def test_what_is_quiet_is_looked_at_less_often(
    made: Callable[[Reach], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    really = asyncio.sleep

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await really(3600 if len(pauses) == 5 else 0)

    async def nothing(_: object) -> Any:
        return []

    async def look() -> None:
        monkeypatch.setattr(asyncio, "sleep", sleep)
        running = asyncio.create_task(made(Reach(nothing, nothing, "me", 1)).run())
        while len(pauses) < 5:
            await really(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(look())
    assert pauses == [2 * LOOK, QUIET, QUIET, QUIET, QUIET]
    assert next_look(QUIET, found=True) == LOOK
