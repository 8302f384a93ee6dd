"""Pull points in the store: once and in order, whoever asks at once, and never for ever."""

from __future__ import annotations

import threading
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
    pull_point_of,
    take_turn,
)
from aggregator.store.pulled import (
    Room,
    look_into,
    prune_pulled,
    put_notices,
    put_pulled,
    take_pulled,
)
from aggregator.store.subscriptions import end_subscription, subscriptions_of
from aggregator.store.write import Write
from tests import stores
from tests.stores import SECOND, opened, subscribe

store = stores.store
clock = stores.clock


def made(store: Store, *, lifetime: int = 60 * SECOND) -> tuple[int, str]:
    return store.writer.run(partial(make_pull_point, lifetime=lifetime))


def put(store: Store, number: int, *messages: bytes, most: int = 1000, size: int = 2**24) -> None:
    room = Room(most, size)
    store.writer.run(partial(put_pulled, number=number, messages=messages, room=room))


def waits(store: Store, *numbers: int) -> set[int]:
    found = store.query(partial(look_into, numbers=numbers))
    return {number for number, (_, has_some) in found.items() if has_some}


def take(store: Store, number: int, most: int = 1000) -> list[bytes]:
    return store.writer.run(partial(take_pulled, number=number, most=most))


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
    assert waits(store, number, other, 99) == {number, other}
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
    with pytest.raises(InboxFull):
        put(store, number, b"x" * 10, size=10)
    assert take(store, number) == [b"3"]
    # An empty one takes any, which could never be told else.
    put(store, number, *[b"x" * 10] * 5, most=2, size=10)
    assert len(take(store, number)) == 5
    with pytest.raises(ResourceUnknown):
        put(store, 99, b"3", most=2)


def test_what_a_subscription_tells_is_put_once(store: Store) -> None:
    """A collector that was killed before it knew begins again where the store says."""
    number, _ = made(store)
    store.writer.run(partial(subscribe, pull_point=number))
    (found,) = store.query(partial(subscriptions_of, group_id=1))
    tell = partial(put_notices, subscription=found.id, pull_point=number, room=Room(1000, 2**20))
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
                room=Room(2, 2**20),
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
    assert waits(store, number) == set()


def test_that_of_a_subscription_has_no_address_and_ends_with_it(store: Store) -> None:
    number, token = made(store)
    store.writer.run(partial(subscribe, pull_point=number))
    (found,) = store.query(partial(subscriptions_of, group_id=1))
    store.writer.run(partial(belongs_to, pull_point=number, subscription=found.id))
    with pytest.raises(ResourceUnknown):
        store.query(partial(find_pull_point, token=token))
    assert store.query(partial(pull_point_of, found=found)).id == number
    put(store, number, b"1")
    store.writer.run(partial(end_subscription, found=found))
    with pytest.raises(ResourceUnknown):
        put(store, number, b"2")


def test_that_of_a_consumer_is_no_subscribers(store: Store) -> None:
    """It may be shared: a subscription's manager is told to whoever is notified."""
    number, _ = made(store)
    store.writer.run(partial(subscribe, pull_point=number))
    (found,) = store.query(partial(subscriptions_of, group_id=1))
    with pytest.raises(ResourceUnknown):
        store.query(partial(pull_point_of, found=found))


def test_what_is_put_in_a_transaction_that_ends_later_is_not_taken_away_unread(
    store: Store, database_url: str, tmp_path: Any
) -> None:
    if store.is_sqlite:
        pytest.skip("one writes at a time")
    number, _ = made(store)
    other = opened(database_url, tmp_path)
    is_put, may_end = threading.Event(), threading.Event()

    def slow(write: Write) -> None:
        put_pulled(write, number, [b"first"], room=Room(10, 2**20))
        is_put.set()
        assert may_end.wait(10)

    try:
        with ThreadPoolExecutor(1) as pool:
            putting = pool.submit(other.writer.run, slow)
            assert is_put.wait(10)
            put(store, number, b"second")
            seen = take(store, number)
            may_end.set()
            putting.result()
        assert seen + take(store, number) == [b"second", b"first"]
    finally:
        other.close()


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
