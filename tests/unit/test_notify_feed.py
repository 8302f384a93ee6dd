"""What waits for one subscriber: how far it reads, and whether its time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from aggregator.notify import feed as feeds
from aggregator.notify.consumer import Notice
from aggregator.notify.feed import Feed, Item


class Group:
    """A group with changes of some sequences, and a clock."""

    def __init__(self, *sequences: int) -> None:
        self.sequences = sequences
        self.reads: list[int] = []
        self.now = 0

    async def read(self, after: int) -> Any:
        """The changes after one."""
        self.reads.append(after)
        await asyncio.sleep(0)
        left = [SimpleNamespace(sequence=one) for one in self.sequences if one > after]
        return SimpleNamespace(changes=left)


def feed_of(group: Group, *, sent: int, termination: int | None = None) -> Feed:
    """A feed that tells every change, and was told so much before."""
    stored = SimpleNamespace(
        id=1, sent=sent, suspended=0, failures=0, error="", error_since=None, key="k"
    )
    stored.termination = termination
    subscriber: Any = SimpleNamespace(
        stored=stored,
        properties=(),
        contents=(),
        consumer=SimpleNamespace(raw=False, reference=SimpleNamespace(address="http://c/")),
        is_paused_at=lambda sequence: False,
        is_last=lambda told: False,
        notices=lambda told, switches, page: [Notice(str(told.sequence), b"<m/>", b"<t/>")],
    )
    unused: Any = None
    return Feed(
        subscriber,
        switches=unused,
        read=group.read,
        filters=unused,
        conditions=unused,
        clock=lambda: group.now,
        suspend_after=60,
    )


async def taken(feed: Feed, *, within: float = 0.2) -> Sequence[Item]:
    """What is to be sent next; TimeoutError where there is nothing."""
    return await asyncio.wait_for(feed.take(), within)


def test_changes_that_are_not_to_be_read_yet_are_asked_for_once() -> None:
    """The change 9 came after the look at the group that found it at 7."""

    async def run() -> None:
        group = Group(9)
        feed = feed_of(group, sent=5)
        feed.wake(7)
        with pytest.raises(TimeoutError):
            await taken(feed)
        assert group.reads == [5]
        assert feed.progress.sent == 7
        feed.wake(9)
        assert [item.sequence for item in await taken(feed)] == [9]

    asyncio.run(run())


def test_one_that_is_renewed_at_the_last_moment_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        group = Group(6)
        group.now = 10
        feed = feed_of(group, sent=5, termination=10)
        feed.wake(6)
        waiting = asyncio.create_task(taken(feed, within=5))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        feed.termination = 20
        assert [item.sequence for item in await waiting] == [6]

    monkeypatch.setattr(feeds, "_PAUSE", 0.01)
    asyncio.run(run())
