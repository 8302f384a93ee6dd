"""Pull points in the store: once and in order, whoever asks at once, and never for ever."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from aggregator.errors import InboxFull, ResourceUnknown
from aggregator.store.engine import Store
from aggregator.store.pull_points import (
    belongs_to,
    destroy_pull_point,
    end_forsaken,
    find_pull_point,
    hold_pull_point,
    keep_turn,
    make_pull_point,
    prune_pulled,
    put_notices,
    put_pulled,
    take_pulled,
    take_turn,
    with_messages,
)
from aggregator.store.subscriptions import end_subscription, make_subscription, subscriptions_of
from aggregator.store.write import Write
from tests import stores
from tests.stores import SECOND, opened

store = stores.store
clock = stores.clock


def made(store: Store, *, lifetime: int = 60 * SECOND) -> tuple[int, str]:
    return store.writer.run(partial(make_pull_point, lifetime=lifetime))


def put(store: Store, number: int, *messages: bytes, most: int = 1000) -> None:
    store.writer.run(partial(put_pulled, number=number, messages=messages, most=most))


def take(store: Store, number: int, most: int = 1000) -> list[bytes]:
    return store.writer.run(partial(take_pulled, number=number, most=most))


def subscribe(write: Write, pull_point: int) -> None:
    make_subscription(
        write,
        group_id=1,
        entry=(0, ""),
        owner="",
        dialect="oasis",
        consumer=b"<c/>",
        request="{}",
        termination=None,
        pull_point=pull_point,
    )


def subscribers(store: Store) -> int:
    return store.query(
        lambda c: c.exec_driver_sql("SELECT subscribers FROM groups WHERE id = 1").scalar_one()
    )


def test_messages_come_out_in_order_as_they_were_put(store: Store) -> None:
    number, _ = made(store)
    other, _ = made(store)
    put(store, number, b"1", b"2")
    put(store, other, b"other")
    put(store, number, b"3")
    assert store.query(partial(with_messages, numbers=[number, other, 99])) == {number, other}
    assert take(store, number, 2) == [b"1", b"2"]
    assert take(store, number) == [b"3"]
    assert take(store, number) == []
    assert take(store, other) == [b"other"]


def test_so_many_bytes_are_given_at_once(store: Store) -> None:
    number, _ = made(store)
    large = b"x" * (3 * 2**20)
    put(store, number, large, large, b"small")
    assert take(store, number) == [large]
    assert take(store, number) == [large, b"small"]


def test_no_more_than_may_wait_is_taken(store: Store) -> None:
    number, _ = made(store)
    put(store, number, b"1", b"2", most=2)
    with pytest.raises(InboxFull):
        put(store, number, b"3", most=2)
    assert take(store, number) == [b"1", b"2"]
    put(store, number, b"3", most=2)
    with pytest.raises(ResourceUnknown):
        put(store, 99, b"3", most=2)


def test_what_a_subscription_tells_is_put_once(store: Store) -> None:
    """A collector that was killed before it knew begins again where the store says."""
    number, _ = made(store)
    store.writer.run(partial(subscribe, pull_point=number))
    (found,) = store.query(partial(subscriptions_of, group_id=1))
    tell = partial(put_notices, subscription=found.id, pull_point=number, most=1000)
    store.writer.run(partial(tell, messages=[(1, b"1"), (1, b"1 too"), (2, b"2")]))
    store.writer.run(partial(tell, messages=[(2, b"2"), (3, b"3")]))
    assert take(store, number) == [b"1", b"1 too", b"2", b"3"]
    (found,) = store.query(partial(subscriptions_of, group_id=1))
    assert found.sent == 3
    store.writer.run(partial(end_subscription, found=found))
    store.writer.run(partial(tell, messages=[(4, b"4")]))
    assert take(store, number) == []


def test_where_it_is_full_nothing_of_a_change_is_put(store: Store) -> None:
    number, _ = made(store)
    store.writer.run(partial(subscribe, pull_point=number))
    (found,) = store.query(partial(subscriptions_of, group_id=1))
    put(store, number, b"0")
    with pytest.raises(InboxFull):
        store.writer.run(
            partial(
                put_notices,
                messages=[(1, b"1"), (2, b"2")],
                subscription=found.id,
                pull_point=number,
                most=2,
            )
        )
    assert take(store, number) == [b"0"]
    (found,) = store.query(partial(subscriptions_of, group_id=1))
    assert found.sent == 0


def test_its_end_is_that_of_its_subscriptions(store: Store) -> None:
    number, token = made(store)
    for _ in range(2):
        store.writer.run(partial(subscribe, pull_point=number))
    assert subscribers(store) == 2
    put(store, number, b"1")
    store.writer.run(partial(destroy_pull_point, number=number))
    assert subscribers(store) == 0
    assert store.query(partial(subscriptions_of, group_id=1)) == []
    with pytest.raises(ResourceUnknown):
        store.query(partial(find_pull_point, token=token))
    with pytest.raises(ResourceUnknown):
        store.writer.run(partial(hold_pull_point, number=number))
    assert store.query(partial(with_messages, numbers=[number])) == set()


def test_that_of_a_subscription_has_no_address_and_ends_with_it(store: Store) -> None:
    number, token = made(store)
    store.writer.run(partial(subscribe, pull_point=number))
    (found,) = store.query(partial(subscriptions_of, group_id=1))
    store.writer.run(partial(belongs_to, pull_point=number, subscription=found.id))
    with pytest.raises(ResourceUnknown):
        store.query(partial(find_pull_point, token=token))
    put(store, number, b"1")
    store.writer.run(partial(end_subscription, found=found))
    with pytest.raises(ResourceUnknown):
        put(store, number, b"2")


def test_one_that_nobody_asks_ends(store: Store, clock: stores.ManualClock) -> None:
    forsaken, _ = made(store)
    asked, token = made(store)
    store.writer.run(partial(subscribe, pull_point=forsaken))
    put(store, forsaken, b"old")
    clock.time += 59 * SECOND
    found = store.query(partial(find_pull_point, token=token))
    store.writer.run(partial(take_turn, found=found))
    put(store, asked, b"new")
    clock.time += 2 * SECOND
    assert store.writer.run(partial(end_forsaken, most=10)) == 1
    assert subscribers(store) == 0
    assert store.writer.run(partial(prune_pulled, before=clock.time - 2 * SECOND)) == 0
    assert store.writer.run(partial(prune_pulled, before=clock.time)) == 1


def test_who_asks_again_takes_the_turn(store: Store) -> None:
    number, token = made(store)
    ask = partial(find_pull_point, token=token)
    first = store.writer.run(partial(take_turn, found=store.query(ask)))
    assert store.writer.run(partial(keep_turn, number=number, turn=first))
    second = store.writer.run(partial(take_turn, found=store.query(ask)))
    assert second > first
    assert not store.writer.run(partial(keep_turn, number=number, turn=first))


def test_what_many_take_at_the_same_time_each_gets_once(
    store: Store, database_url: str, tmp_path: Any
) -> None:
    number, token = made(store)
    wanted = [b"%d" % one for one in range(400)]
    put(store, number, *wanted)

    def pull(other: Store) -> list[bytes]:
        def unit(write: Write) -> list[bytes]:
            found = find_pull_point(write.connection, token)
            take_turn(write, found)
            return take_pulled(write, found.id, most=7)

        got: list[bytes] = []
        while more := other.writer.run(unit):
            got += more
        return got

    others = [opened(database_url, tmp_path) for _ in range(3)]
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(pull, [store, *others]))
    finally:
        for one in others:
            one.close()
    assert sorted(one for got in found for one in got) == sorted(wanted)
    for got in found:
        assert [int(one) for one in got] == sorted(int(one) for one in got)
