"""Leases on shards: renewed, taken when they ran out, given back; the epoch tells them apart."""

from __future__ import annotations

from collections.abc import Sequence

from aggregator.store.engine import Store
from aggregator.store.leases import collector_running, release_shards, take_shards
from tests import stores
from tests.stores import SECOND, ManualClock

store, clock = stores.store, stores.clock
ALL = range(64)


def take(store: Store, holder: str, shards: Sequence[int], *, ttl: float = 3) -> dict[int, int]:
    return store.writer.run(lambda write: take_shards(write, holder, shards, ttl))


def test_leases_are_renewed_taken_when_they_ran_out_and_given_back(
    store: Store, clock: ManualClock
) -> None:
    assert take(store, "me", [0, 1, 2], ttl=3) == {0: 1, 1: 1, 2: 1}
    assert take(store, "you", [1, 2, 3], ttl=3) == {3: 1}
    clock.time += 2 * SECOND
    assert take(store, "me", [0, 1], ttl=3) == {0: 1, 1: 1}
    clock.time += SECOND
    # What "me" did not renew has run out to the microsecond.
    assert take(store, "you", [0, 1, 2, 3], ttl=3) == {2: 2, 3: 1}
    store.writer.run(lambda write: release_shards(write, "me"))
    assert take(store, "you", ALL, ttl=3) == {0: 2, 1: 2, 2: 2, 3: 1} | dict.fromkeys(
        range(4, 64), 1
    )
    assert take(store, "me", ALL, ttl=3) == {}


def test_a_lease_that_ran_out_unnoticed_goes_on(store: Store, clock: ManualClock) -> None:
    take(store, "me", [0])
    clock.time += 60 * SECOND
    assert take(store, "me", [0]) == {0: 1}


def test_a_collector_runs_while_a_lease_does(store: Store, clock: ManualClock) -> None:
    def running() -> bool:
        return store.query(lambda c: collector_running(c, clock.now()))

    assert not running()
    take(store, "me", [0], ttl=3)
    assert running()
    clock.time += 3 * SECOND
    assert not running()
