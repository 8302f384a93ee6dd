"""What waits for a member's subscriber: so many messages of so many bytes, the newest."""

from __future__ import annotations

from typing import Any

from aggregator.member.subscriptions import Subscription


def subscription() -> Subscription:
    nobody: Any = None
    return Subscription("k", nobody, nobody, 0, None)


def waiting(found: Subscription) -> list[int]:
    return [int(one.id.rpartition(":")[2]) for one in found.waiting]


def test_the_oldest_go_where_too_many_wait() -> None:
    found = subscription()
    for _ in range(1003):
        found.put(b"m", b"t")
    assert waiting(found) == list(range(3, 1003))
    assert (found.dropped, found.size) == (3, 1000)


def test_the_oldest_go_where_they_are_too_large_together() -> None:
    found = subscription()
    for size in (2, 3, 1):
        found.put(b"m" * (size * 2**20), b"t")
    assert waiting(found) == [1, 2]
    assert found.dropped == 1
    found.put(b"m" * (5 * 2**20), b"t")
    # One that is too large by itself is told all the same.
    assert waiting(found) == [3]
    found.sent(list(found.waiting))
    assert (waiting(found), found.size) == ([], 0)
