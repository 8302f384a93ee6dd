"""Queues in a store: how long they are kept, and what is counted of what they lost."""

from __future__ import annotations

from functools import partial

import pytest

from aggregator.bus.assembly import prune
from aggregator.config import Settings
from aggregator.config.events import EventsSettings
from aggregator.events.topics import matches
from aggregator.events.transport import Exchange
from aggregator.events.transport.queues import KeptQueue
from aggregator.events.transport.store_queues import StoreQueues
from aggregator.store.engine import Store
from aggregator.store.event_log import prune_events
from aggregator.store.event_queues import (
    Taken,
    bind_queue,
    enter_reader,
    has_news,
    take_event,
)
from tests import stores
from tests.integration.test_events_store import dropped, log
from tests.stores import SECOND, ManualClock

store, clock = stores.store, stores.clock

AGE = 60.0
QUEUE = KeptQueue(name="q", exchange=Exchange("x"), binding="#", age=AGE, length=1000)
KEPT = Settings(events=EventsSettings(log_age=AGE, log_length=1000))


def names(store: Store) -> list[str]:
    ask = "SELECT name FROM event_queues ORDER BY name"
    return store.query(lambda found: list(found.exec_driver_sql(ask).scalars()))


def fetched(queues: StoreQueues, *, most: int = 100) -> int:
    found = queues.fetch(QUEUE, most=most, room=1000)
    queues.acknowledge(QUEUE, found.receipt)
    return len(found.deliveries)


def pass_over(store: Store, clock: ManualClock, seconds: float) -> None:
    clock.time += round(seconds * SECOND)
    store.writer.run(partial(prune, settings=KEPT))


def test_a_queue_that_is_fetched_from_stays_though_nothing_comes(
    store: Store, clock: ManualClock
) -> None:
    queues = StoreQueues(store)
    queues.bind(QUEUE)
    for _ in range(60):
        assert fetched(queues) == 0
        pass_over(store, clock, AGE / 12)
    assert names(store) == ["q"]
    pass_over(store, clock, 3 * AGE)
    assert names(store) == []


def test_that_it_is_fetched_from_is_not_written_down_each_time(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues, writes = StoreQueues(store), []
    queues.bind(QUEUE)
    run = store.writer.run
    monkeypatch.setattr(store.writer, "run", lambda unit: (writes.append(unit), run(unit))[1])
    for _ in range(60):
        fetched(queues)
        clock.time += SECOND
    assert 5 <= len(writes) <= 10


def test_a_queue_that_went_is_made_anew_with_all_that_is_kept(
    store: Store, clock: ManualClock
) -> None:
    queues = StoreQueues(store)
    queues.bind(QUEUE)
    pass_over(store, clock, 3 * AGE)
    assert names(store) == []
    log(store, 3)
    assert fetched(queues) == 3
    assert fetched(queues) == 0


def test_a_queue_of_subscribers_is_kept_while_nobody_receives(
    store: Store, clock: ManualClock
) -> None:
    store.writer.run(partial(bind_queue, name="q", exchange="x", pattern="#"))
    pass_over(store, clock, 10 * AGE)
    log(store, 1)
    assert names(store) == ["q"]
    taken = take(store, None)
    assert taken.event is not None
    assert taken.event.sequence == 1


def take(store: Store, done: int | None, reader: str = "r") -> Taken:
    return store.writer.run(
        partial(take_event, name="q", reader=reader, matches=matches, done=done)
    )


@pytest.mark.parametrize(("kept", "lost"), [(2, 3), (0, 5)])
def test_what_left_the_log_before_it_was_fetched_is_counted(
    store: Store, clock: ManualClock, kept: int, lost: int
) -> None:
    queues, before = StoreQueues(store), dropped()
    queues.bind(QUEUE)
    log(store, 5)
    store.writer.run(partial(prune_events, before=0, longest=kept, most=100))
    # What is not acknowledged is fetched again, and counts once.
    queues.fetch(QUEUE, most=100, room=1000)
    assert fetched(queues) == kept
    assert fetched(queues) == 0
    assert dropped() - before == lost


@pytest.mark.parametrize(("kept", "lost"), [(2, 3), (0, 5)])
def test_what_left_the_log_before_it_was_taken_is_told(
    store: Store, clock: ManualClock, kept: int, lost: int
) -> None:
    store.writer.run(partial(bind_queue, name="q", exchange="x", pattern="#"))
    log(store, 5)
    store.writer.run(partial(prune_events, before=0, longest=kept, most=100))
    done, found = None, []
    while store.query(partial(has_news, name="q", now=clock.time)) or done:
        found.append(take(store, done))
        done = found[-1].event.sequence if found[-1].event else None
        assert len(found) < 10, "what is gone is news for ever"
    assert [one.event.sequence for one in found if one.event] == [4, 5][2 - kept :]
    assert sum(one.lost for one in found) == lost


def test_what_left_the_log_while_somebody_had_it_is_told(store: Store, clock: ManualClock) -> None:
    store.writer.run(partial(bind_queue, name="q", exchange="x", pattern="#"))
    store.writer.run(partial(enter_reader, name="q", reader="gone", until=clock.time + SECOND))
    log(store, 1)
    assert take(store, None, "gone").event
    clock.time += 2 * SECOND
    store.writer.run(partial(prune_events, before=0, longest=0, most=100))
    assert take(store, None) == (None, True, 1)
