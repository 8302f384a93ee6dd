"""Events through a store, between processes: shared, handed over, kept, and never missed."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from aggregator.bus.assembly import prune
from aggregator.config import Settings
from aggregator.config.events import EventsSettings
from aggregator.errors import BrokerUnavailable
from aggregator.events import (
    EventData,
    EventSubscriber,
    ResourceLifecycleEventPublisher,
    SubscriberFactory,
    configure,
    metrics,
)
from aggregator.store.engine import Store
from aggregator.store.event_log import append_event, last_event, prune_events, topics_after
from aggregator.store.event_queues import bind_queue, enter_reader, prune_queues
from tests import stores
from tests.databases import DATABASES
from tests.events_kit import SOON, Inbox, migrated, own_system
from tests.stores import SECOND, ManualClock
from tests.waiting import until

from .events_process import started

store, clock = stores.store, stores.clock


@pytest.fixture(params=DATABASES)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store, of which this process uses a system of its own."""
    with migrated(request.param, tmp_path) as url, own_system(url):
        yield url


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process of `events_process` that is ready, killed at the end."""
    found = started(*arguments)
    try:
        assert found.stdout is not None
        if arguments[0] != "publish":
            assert found.stdout.readline() == "ready\n"
        yield found
    finally:
        found.kill()
        found.wait()
        if found.stdout is not None:
            found.stdout.close()


def publish(description: str) -> None:
    ResourceLifecycleEventPublisher(origin="x").create_and_publish_event(description=description)


def test_what_a_process_was_killed_over_is_another_ones(broker: str) -> None:
    system = configure().sys_name
    with process("hang", system, broker, "q") as hanging:
        publish("first")
        assert hanging.stdout is not None
        assert hanging.stdout.readline() == "first\n"
        other = Inbox()
        with SubscriberFactory(queue_name="q").build(handler=other):
            publish("second")
            assert other.described(1) == ["second"], "one that is being handled is nobody else's"
            hanging.kill()
            assert other.described(1) == ["first"]


def test_a_long_handler_keeps_its_message(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aggregator.events.transport.store_subscription.LIFE", 1.0)
    monkeypatch.setattr("aggregator.events.transport.store._SIGN", 0.2)
    slow, other, done = Inbox(), Inbox(), threading.Event()

    def handler(data: EventData) -> None:
        slow(data)
        done.wait(SOON)

    with SubscriberFactory(queue_name="q").build(handler=handler):
        publish("long")
        assert slow.described(1) == ["long"]
        with SubscriberFactory(queue_name="q").build(handler=other):
            threading.Event().wait(2.5)
            done.set()
            publish("next")
            until(lambda: slow.arrived.qsize() + other.arrived.qsize() == 1, within=SOON)
            threading.Event().wait(0.5)
    assert slow.arrived.qsize() + other.arrived.qsize() == 1, "the long one came once"


def test_a_reader_misses_nothing_of_publishers_that_commit_in_any_order(broker: str) -> None:
    system, inbox, number = configure().sys_name, Inbox(), 60
    subscriber = EventSubscriber()
    subscriber.on_data = inbox
    with subscriber:
        publishers = [started("publish", system, broker, f"o{n}", str(number)) for n in range(4)]
        for one in publishers:
            assert one.wait(60) == 0
            assert one.stdout is not None
            one.stdout.close()
        found: dict[str, list[str]] = {}
        for _ in range(4 * number):
            data = inbox.next()
            found.setdefault(data.routing_key, []).append(data.content.description)
    assert found == {f"1001.o{n}": [str(count) for count in range(number)] for n in range(4)}


def test_a_queue_outlives_its_process(broker: str) -> None:
    """A queue that is kept, in a store, has what came while no process was there at all."""
    system = configure().sys_name
    factory = SubscriberFactory(queue_name="kept", auto_delete=False)
    factory.build(handler=Inbox()).terminate()
    with process("publish", system, broker, "o", "3") as publisher:
        assert publisher.wait(30) == 0
    inbox = Inbox()
    with factory.build(handler=inbox):
        assert inbox.described(3) == ["0", "1", "2"]


def test_a_store_that_was_never_migrated_is_told(tmp_path: Path) -> None:
    with own_system(f"sqlite:///{tmp_path / 'empty.db'}"):
        with pytest.raises(BrokerUnavailable, match="no such table"):
            publish("x")
        with pytest.raises(BrokerUnavailable, match="no such table"):
            EventSubscriber.activate(SubscriberFactory(handler=Inbox()).build())


@pytest.mark.parametrize("name", [None, "q"])
def test_a_slow_reader_is_told_what_it_missed_by_a_count(broker: str, name: str | None) -> None:
    inbox, free = Inbox(), threading.Event()

    def handler(data: EventData) -> None:
        free.wait(SOON)
        inbox(data)

    before = dropped()
    with SubscriberFactory(queue_name=name).build(handler=handler):
        for number in range(10):
            publish(str(number))
        threading.Event().wait(0.5)
        held = stores.opened(broker, Path())
        try:
            assert held.writer.run(partial(prune_events, before=0, longest=2, most=100)) == 8
        finally:
            held.close()
        free.set()
        assert inbox.described(3) == ["0", "8", "9"]
    assert dropped() - before == 7


def dropped() -> float:
    (family,) = metrics.DROPPED.collect()
    return sum(
        one.value
        for one in family.samples
        if one.labels.get("where") == "store" and one.name.endswith("_total")
    )


class TestLog:
    """What is kept, in the store itself."""

    def test_it_is_bounded_by_number_and_age(self, store: Store, clock: ManualClock) -> None:
        log(store, 5)
        clock.time += 60 * SECOND
        log(store, 5)

        def prune(**limits: int) -> int:
            return store.writer.run(partial(prune_events, most=100, **limits))

        assert prune(before=clock.time - 61 * SECOND, longest=100) == 0
        assert prune(before=clock.time - 59 * SECOND, longest=100) == 5
        assert prune(before=0, longest=2) == 3
        left = store.query(partial(topics_after, sequence=0, most=100))
        assert [one.sequence for one in left] == [9, 10]

    def test_it_is_as_long_as_the_settings_say(self, store: Store, clock: ManualClock) -> None:
        kept = Settings(events=EventsSettings(log_age=60.0, log_length=10))
        log(store, 12)
        assert store.writer.run(partial(prune, settings=kept)) == 2
        clock.time += 61 * SECOND
        assert store.writer.run(partial(prune, settings=kept)) == 10
        assert store.writer.run(partial(prune, settings=kept)) == 0

    def test_it_is_pruned_a_piece_at_a_time(self, store: Store) -> None:
        log(store, 7)
        pieces = [
            store.writer.run(partial(prune_events, before=0, longest=1, most=4)) for _ in range(3)
        ]
        assert pieces == [4, 2, 0]

    def test_what_is_rolled_back_has_no_sequence(self, store: Store) -> None:
        def failing(write: object) -> None:
            log_one(write)
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            store.writer.run(failing)
        log(store, 1)
        assert store.query(last_event) == 1

    def test_a_queue_goes_with_readers_that_gave_no_sign(
        self, store: Store, clock: ManualClock
    ) -> None:
        def bind(write: object) -> None:
            for name, auto_delete in (("goes", True), ("stays", False), ("unused", False)):
                bind_queue(
                    write,  # type: ignore[arg-type]
                    name,
                    exchange="x",
                    pattern="#",
                    auto_delete=auto_delete,
                    fetched=name == "unused",
                )
                enter_reader(write, name, name, until=clock.time + SECOND)  # type: ignore[arg-type]

        def names() -> list[str]:
            ask = "SELECT name FROM event_queues ORDER BY name"
            return store.query(lambda found: list(found.exec_driver_sql(ask).scalars()))

        store.writer.run(bind)
        store.writer.run(partial(prune_queues, before=0))
        assert names() == ["goes", "stays", "unused"]
        clock.time += 2 * SECOND
        store.writer.run(partial(prune_queues, before=0))
        assert names() == ["stays", "unused"]
        store.writer.run(partial(prune_queues, before=clock.time))
        assert names() == ["stays"], "nobody has fetched from the other for long enough"


def log_one(write: object) -> None:
    append_event(
        write,  # type: ignore[arg-type]
        exchange="x",
        topic="1.a",
        content_type="",
        headers="{}",
        body=b"",
    )


def log(store: Store, number: int) -> None:
    for _ in range(number):
        store.writer.run(log_one)
