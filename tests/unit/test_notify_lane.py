"""The way to one consumer: whatever happens on it, it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from aggregator.errors import CollectError
from aggregator.notify import lane as lanes
from aggregator.notify.lane import Lane


def test_trouble_of_any_kind_does_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    taking: list[Exception | None] = [None, ValueError("a bug"), None, None, None]
    sending: list[Exception | None] = [CollectError("no", code="connection"), KeyError("x")]
    done: list[int] = []
    failures: list[str] = []

    async def run() -> None:
        enough = asyncio.Event()

        async def take() -> Sequence[int]:
            await asyncio.sleep(0)
            if taking and (error := taking.pop(0)):
                raise error
            return [len(done)]

        async def send(batch: Sequence[int]) -> None:
            if sending and (error := sending.pop(0)):
                raise error

        def on_done(batch: Sequence[int]) -> None:
            done.extend(batch)
            if len(done) == 3:
                enough.set()

        lane = Lane(
            take=take, send=send, done=on_done, failed=lambda error: failures.append(error.code)
        )
        task = asyncio.create_task(lane.run())
        await asyncio.wait_for(enough.wait(), 10)
        task.cancel()

    monkeypatch.setattr(lanes, "_FIRST_PAUSE", 0.001)
    asyncio.run(run())
    assert done[:3] == [0, 1, 2]
    assert failures == ["connection"]
