"""What holds for events within a process holds on a broker and in a store: the same tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from aggregator.events import (
    DatasetStreamingEventSubscriber,
    EventData,
    EventMonitor,
    EventSubscriber,
    LifecycleState,
    RawMessage,
    ResourceLifecycleEventPublisher,
    ResourceLifecycleEventSubscriber,
    ScheduleEventSubscriber,
    Scheduler,
    SubscriberFactory,
    configure,
)
from tests import events_kit
from tests.events_kit import (
    SOON,
    CompassEventMessage,
    CompassEventPublisher,
    CompassEventSubscriber,
    Inbox,
)
from tests.waiting import until

system_on_each = events_kit.system_on_each
pytestmark = pytest.mark.usefixtures("system_on_each")


def publish(description: str, *, origin: str = "x") -> None:
    ResourceLifecycleEventPublisher(origin=origin).create_and_publish_event(description=description)


@pytest.mark.parametrize("encoding", ["json", "xml"])
def test_an_event_arrives_as_it_was_published(encoding: str) -> None:
    configure(encoding=encoding)
    inbox = Inbox()
    with SubscriberFactory(subscriber_type=ResourceLifecycleEventSubscriber).build(handler=inbox):
        publisher = ResourceLifecycleEventPublisher(origin="buoy", process="me")
        event = publisher.create_and_publish_event(
            state=publisher.State.ACTIVE, status=publisher.Status.ERROR, body="<ä>&\n\t"
        )
        data = inbox.next()
    assert data.content == event
    assert data.content.state is event.State.ACTIVE
    assert (data.routing_key, data.sender_name) == ("1001.buoy", "me")


@pytest.mark.parametrize(
    ("binding", "taken"),
    [
        ({}, "abcdef"),
        ({"event_id": 1001}, "abcd"),
        ({"event_id": 1001, "origin": "chan1"}, "b"),
        ({"origin": "chan1"}, "bf"),
        ({"binding_key": "1001.chan1.#"}, "bcd"),
        ({"binding_key": "*.*.*"}, "c"),
        ({"event_id": 1052}, ""),
    ],
)
def test_bindings_take_what_they_match(binding: dict[str, object], taken: str) -> None:
    origins = {"a": "other", "b": "chan1", "c": "chan1.x", "d": "chan1.x.y"}
    inbox = Inbox()
    bound = EventSubscriber(**binding)  # type: ignore[arg-type]
    bound.on_data = inbox
    with bound:
        for description, origin in origins.items():
            publish(description, origin=origin)
        for description, origin in (("e", "other"), ("f", "chan1")):
            CompassEventPublisher(origin=origin).create_and_publish_event(description=description)
        # What comes last is taken by every binding, so that all before it has come.
        CompassEventPublisher(origin="x").publish(RawMessage(b"end"), routing_key=match(bound))
        found = ""
        while not isinstance(content := inbox.next().content, RawMessage):
            found += content.description
    assert found == taken


def match(subscriber: EventSubscriber) -> str:
    """A topic that the subscriber's pattern takes."""
    return subscriber.binding_key.replace("*", "7").replace(".#", "")


def slowly(inbox: Inbox) -> Callable[[EventData], None]:
    """A handler that is busy for a while, so that the next event is another's."""

    def handle(data: EventData) -> None:
        inbox(data)
        time.sleep(0.03)

    return handle


def test_queues_of_one_name_share_and_those_without_get_copies() -> None:
    first, second, copies = Inbox(), Inbox(), [Inbox(), Inbox()]
    subscribers = [
        SubscriberFactory(handler=handler).build(queue_name=name)
        for handler, name in (
            (slowly(first), "q"),
            (slowly(second), "q"),
            (copies[0], None),
            (copies[1], None),
        )
    ]
    everything = [f"{number}" for number in range(30)]
    for description in everything:
        publish(description)
    for inbox in copies:
        assert inbox.described(30) == everything

    def shared() -> int:
        return first.arrived.qsize() + second.arrived.qsize()

    until(lambda: shared() >= 30, within=SOON)
    for subscriber in subscribers:
        subscriber.terminate()
    assert shared() == 30
    parts = [inbox.described(inbox.arrived.qsize()) for inbox in (first, second)]
    assert sorted(parts[0] + parts[1], key=int) == everything
    assert all(parts)


def test_a_named_queue_that_is_kept_collects_while_nobody_receives(system_on_each: str) -> None:
    factory = SubscriberFactory(queue_name="kept", auto_delete=False, durable=True)
    try:
        factory.build(handler=Inbox()).terminate()
        publish("a")
        publish("b")
        inbox = Inbox()
        with factory.build(handler=inbox):
            assert inbox.described(2) == ["a", "b"]
    finally:
        if configure().broker.startswith("amqp"):
            events_kit.delete(f"{system_on_each}.events.topic", f"{system_on_each}.kept")


def test_a_named_queue_that_is_not_kept_goes_with_its_last_subscriber() -> None:
    factory = SubscriberFactory(queue_name="gone")
    factory.build(handler=Inbox()).terminate()
    publish("lost")
    inbox = Inbox()
    with factory.build(handler=inbox):
        publish("found")
        assert inbox.described(1) == ["found"]


def test_a_message_is_dealt_with_when_its_handler_raises() -> None:
    inbox = Inbox()

    def failing(data: EventData) -> None:
        inbox(data)
        raise ValueError("mine")

    factory = SubscriberFactory(queue_name="q")
    with factory.build(handler=failing):
        other = factory.build(handler=inbox)
        for description in ("a", "b", "c", "d"):
            publish(description)
        assert sorted(inbox.described(4)) == ["a", "b", "c", "d"]
        other.terminate()
    with SubscriberFactory(queue_name="q").build(handler=inbox):
        publish("after")
        assert inbox.described(1) == ["after"], "none came twice"


def test_a_handler_may_terminate_its_own_subscriber() -> None:
    done = threading.Event()
    subscriber = EventSubscriber()

    def last(data: EventData) -> None:
        subscriber.terminate()
        done.set()

    subscriber.on_data = last
    subscriber.activate()
    publish("a")
    assert done.wait(SOON)
    assert subscriber.state is LifecycleState.TERMINATED


def test_a_handler_may_publish() -> None:
    inbox = Inbox()

    def answer(data: EventData) -> None:
        CompassEventPublisher(origin="x").create_and_publish_event(
            description=f"re: {data.content.description}"
        )

    listening = SubscriberFactory(subscriber_type=CompassEventSubscriber).build(handler=inbox)
    with listening, SubscriberFactory().build(handler=answer, event_id=1001):
        publish("a")
        assert inbox.described(1) == ["re: a"]


def test_classes_of_ones_own_work_unchanged() -> None:
    inbox = Inbox()
    with SubscriberFactory(subscriber_type=CompassEventSubscriber).build(handler=inbox):
        publisher = CompassEventPublisher(origin="bridge")
        event = publisher.create_event(direction=publisher.Direction.NORTH)
        event.direction = event.Direction.SOUTH
        publisher.publish_event(event)
        found = inbox.next().content.additional_data
    assert found == CompassEventMessage(direction=2)


@pytest.mark.parametrize("type_id", [10001, 2001, 2005])
def test_streaming_events_arrive_raw(type_id: int) -> None:
    class Agent(CompassEventPublisher):
        event_id = 1116

    inbox, body = Inbox(), bytes(range(256)) * 100
    factory = SubscriberFactory(subscriber_type=DatasetStreamingEventSubscriber)
    with factory.build(handler=inbox, origin="dataset"):
        Agent(origin="dataset").publish_event(RawMessage(body, type_id, "application/x-ion"))
        content = inbox.next().content
    assert content == RawMessage(body, type_id, "application/x-ion")


def test_what_cannot_be_read_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    inbox = Inbox()
    with SubscriberFactory().build(handler=inbox):
        for body in (b"", b"{", b"\xff" * 100, b'{"format": "mds-aggregator-event"}'):
            spoilt = RawMessage(body, 1, "application/vnd.mds-aggregator.event+json")
            CompassEventPublisher(origin="x").publish_event(spoilt)
        publish("after")
        assert inbox.described(1) == ["after"]
    assert caplog.text.count("can't be read") == 4


def test_what_is_too_large_is_left(caplog: pytest.LogCaptureFixture) -> None:
    inbox = Inbox()
    large = ResourceLifecycleEventPublisher(origin="x")
    configure(max_message=10_000)
    with SubscriberFactory().build(handler=inbox):
        large.create_and_publish_event(body="x" * 20_000)
        publish("after")
        assert inbox.described(1) == ["after"]
    assert "at most 10000 are read" in caplog.text


def test_the_monitor_and_the_scheduler_work_over_it() -> None:
    monitor, scheduler, inbox = EventMonitor(), Scheduler(), Inbox()
    monitor.subscribe("s", event_id=2001)
    with SubscriberFactory(subscriber_type=ScheduleEventSubscriber).build(handler=inbox), scheduler:
        scheduler.add_task(desired_origin="me", interval_seconds=60, task_id="t")
        assert inbox.next().content.task_id == "t"
        (found,) = until(lambda: monitor.getdata("s", "0").data[0].events, within=SOON)
    assert found.task_id == "t"
    monitor.terminate()
