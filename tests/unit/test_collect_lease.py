"""The lease as the collector sees it: lost the moment its time is over, whatever the store says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from aggregator.collect.lease import HolderFile, Lease
from aggregator.errors import StoreUnavailable
from aggregator.testing import ManualClock


class Shop:
    """A store that gives what it is told to."""

    def __init__(self) -> None:
        self.held: Mapping[int, int] = {1: 7}
        self.away = False
        self.seen: list[Mapping[int, int]] = []
        self.clock = ManualClock()
        self.lease = Lease(self.take, ttl=3.0, on_change=self.seen.append, clock=self.clock.seconds)

    async def take(self) -> Mapping[int, int]:
        if self.away:
            raise StoreUnavailable("away")
        return self.held

    def renew(self) -> None:
        asyncio.run(self.lease.renew())


def test_it_holds_what_the_store_gave_and_tells_changes_alone() -> None:
    shop = Shop()
    assert shop.lease.epochs == {}
    shop.renew()
    shop.renew()
    assert shop.lease.epochs == {1: 7}
    shop.held = {1: 7, 2: 3}
    shop.renew()
    assert shop.seen == [{1: 7}, {1: 7, 2: 3}]


def test_it_is_lost_without_renewal_though_nobody_says_so() -> None:
    shop = Shop()
    shop.renew()
    shop.clock.advance(2.9)
    assert shop.lease.epochs == {1: 7}
    shop.clock.advance(0.2)
    assert shop.lease.epochs == {}
    assert shop.seen[-1] == {}


def test_a_store_that_is_away_for_less_costs_nothing() -> None:
    shop = Shop()
    shop.renew()
    shop.away = True
    shop.clock.advance(2)
    shop.renew()
    assert shop.lease.epochs == {1: 7}
    shop.away = False
    shop.renew()
    shop.clock.advance(2)
    assert shop.lease.epochs == {1: 7}
    assert shop.seen == [{1: 7}]


def test_its_time_counts_from_before_the_question() -> None:
    shop = Shop()

    async def slowly() -> Mapping[int, int]:
        shop.clock.advance(2)
        return {1: 7}

    shop.lease._take = slowly
    shop.renew()
    shop.clock.advance(1.1)
    assert shop.lease.epochs == {}


def test_what_another_took_is_gone() -> None:
    shop = Shop()
    shop.renew()
    shop.held = {}
    shop.renew()
    assert shop.lease.epochs == {}
    assert shop.seen == [{1: 7}, {}]


def test_the_name_passes_on_with_the_file_and_never_to_two(tmp_path: Path) -> None:
    first = HolderFile(tmp_path / "lock")
    beside = HolderFile(tmp_path / "lock")
    assert first.name != beside.name
    first.close()
    beside.close()
    after = HolderFile(tmp_path / "lock")
    assert after.name == first.name
    after.close()
    other = HolderFile(tmp_path / "elsewhere")
    assert other.name != first.name
    other.close()


def test_a_spoilt_holder_file_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(b"\xff\x00 what is this?" * 10)
    first = HolderFile(tmp_path / "lock")
    first.close()
    second = HolderFile(tmp_path / "lock")
    assert len(first.name) == 32
    assert second.name == first.name
    second.close()
