"""What waits for one subscriber: how far it reads, and whether its time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from aggregator.errors import CollectError, QueryFailed
from aggregator.notify import feed as feeds
from aggregator.notify.consumer import Notice
from aggregator.notify.feed import Feed, Item
from aggregator.wire.times import SECOND


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
        left = [SimpleNamespace(sequence=one, at=0) for one in self.sequences if one > after]
        return SimpleNamespace(changes=left)


class TooSlow:
    """Filters whose evaluations take too long."""

    async def holds(self, condition: object, document: bytes) -> bool:
        """Never told."""
        raise QueryFailed("it took too long", limit="time")


def feed_of(group: Group, *, sent: int, termination: int | None = None) -> Feed:
    """A feed that tells every change, and was told so much before."""
    stored = SimpleNamespace(
        id=1, sent=sent, suspended=0, failures=0, error="", error_since=None, key="k", pull_point=0
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
    filters: Any = TooSlow()
    return Feed(
        subscriber,
        switches=unused,
        read=group.read,
        filters=filters,
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


def test_what_is_refused_for_good_holds_nothing_up_for_ever() -> None:
    """The consumer never takes the change 7; the others come, and it is counted."""

    async def run() -> None:
        group = Group(6, 7, 8)
        feed = feed_of(group, sent=5)
        feed.wake(8)
        told: list[int] = []
        for _ in range(20):
            batch = await taken(feed) if len(told) < 2 else ()
            numbers = [item.sequence for item in batch]
            if 7 in numbers:
                feed.failed(CollectError("no", code="refused"))
                group.now += 20 * SECOND
            elif numbers:
                feed.sent(batch)
                told += numbers
        assert told == [6, 8]
        assert feed.progress.sent == 8
        noted = feed.progress
        assert (noted.dropped, noted.failures) == (1, 0)
        feed.noted(noted)
        assert feed.progress.dropped == 0

    asyncio.run(run())


def test_what_does_not_arrive_is_not_left_out() -> None:
    async def run() -> None:
        group = Group(6)
        feed = feed_of(group, sent=5)
        feed.wake(6)
        for _ in range(20):
            assert [item.sequence for item in await taken(feed)] == [6]
            feed.failed(CollectError("no", code="http-status"))
            group.now += 20 * SECOND
        assert (feed.progress.sent, feed.progress.suspended) == (5, True)

    asyncio.run(run())


def test_a_filter_that_is_too_slow_each_time_ends_the_subscription(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def last_words(subscriber: object, at: int, reason: str) -> Notice:
        return Notice("end", reason.encode(), b"<t/>")

    async def run() -> None:
        group = Group(*range(6, 20))
        feed = feed_of(group, sent=5)
        feed.subscriber.contents = ("some condition",)  # type: ignore[assignment,misc]
        feed.wake(19)
        batch = await taken(feed)
        assert [item.ends for item in batch] == [True]
        assert b"takes longer" in batch[0].notice.message
        feed.sent(batch)
        assert feed.ended

    monkeypatch.setattr(feeds, "termination_notice", last_words)
    asyncio.run(run())
