"""What an aggregator pushed waits in its order, and keeps those waiting who have it push more."""

from __future__ import annotations

import asyncio

import pytest

from aggregator.reports.outbox import Outbox
from aggregator.reports.process import Pushed


async def _waits(box: Outbox) -> bool:
    try:
        async with asyncio.timeout(0.01):
            await box.room()
    except TimeoutError:
        return True
    return False


@pytest.mark.parametrize(("count", "size"), [(101, 0), (2, 60)])
def test_a_long_outbox_has_no_room_until_it_is_short(count: int, size: int) -> None:
    async def fill() -> None:
        box = Outbox(size=100)
        for number in range(count - 1):
            box.put(Pushed(str(number), "bytes", b"x" * size))
        assert not await _waits(box)
        box.put(Pushed("last", "bytes", b"x" * size))
        assert await _waits(box)
        assert (await box.get()).type == "0"
        assert not await _waits(box)
        assert not box.is_empty()

    asyncio.run(fill())
