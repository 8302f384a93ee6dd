"""The event monitor collects for sessions, tells what is new, and keeps no more than it may."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from aggregator.errors import EventNotReady, SubscriptionRefused
from aggregator.events import (
    EventMonitor,
    EventSubscriber,
    RawMessage,
    ResourceLifecycleEventPublisher,
    SubscriberFactory,
)
from aggregator.events.kept import KeptEvents
from aggregator.events.messages import EventMessage
from aggregator.events.subscriber import EventData
from tests import events_kit
from tests.events_kit import SOON, CompassEventPublisher

system = events_kit.system


class Clock:
    """Stands still until it is set."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def monitor(system: str, clock: Clock) -> Iterator[EventMonitor]:
    found = EventMonitor(clock=clock)
    yield found
    found.terminate()


class Told:
    """Publishes, and waits until each subscription that wants it has it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._kept = threading.Semaphore(0)
        keep = KeptEvents.keep

        def noticed(kept: KeptEvents, data: EventData) -> None:
            keep(kept, data)
            self._kept.release()

        monkeypatch.setattr(KeptEvents, "keep", noticed)

    def __call__(self, *instants: float, origin: str = "x", times: int = 1) -> None:
        for instant in instants:
            ResourceLifecycleEventPublisher(origin=origin).create_and_publish_event(
                datetime=instant
            )
        self.wait(times * len(instants))

    def wait(self, number: int) -> None:
        for _ in range(number):
            assert self._kept.acquire(timeout=SOON)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, monitor: EventMonitor) -> Told:
    return Told(monkeypatch)


def instants(monitor: EventMonitor, session: str = "s", *given: Any) -> list[list[float]]:
    data = monitor.getdata(session, *given).data
    return [[event.datetime for event in one.events] for one in data]


def test_a_subscription_has_an_id_of_six_characters(monitor: EventMonitor) -> None:
    made = monitor.subscribe("s", event_id=1001, origin="ucsd")
    assert made.session_id == "s"
    assert len(made.subscription_id) == 6
    reply = monitor.getdata("s")
    assert reply.session_id == "s"
    assert [(one.subscription_id, one.subscription_desc, one.events) for one in reply.data] == [
        (made.subscription_id, "1001.ucsd", ())
    ]


def test_events_are_those_from_the_timestamp_on(monitor: EventMonitor, told: Told) -> None:
    monitor.subscribe("s")
    told(5.0, 10.0, 15.0)
    assert instants(monitor, "s", "10.0") == [[10.0, 15.0]]
    assert instants(monitor, "s", "10.5") == [[15.0]]
    assert instants(monitor, "s", 15.0) == [[15.0]]
    assert instants(monitor, "s", "inf") == [[]]


@pytest.mark.parametrize("timestamp", ["yesterday", "nan", "1,5", "-"])
def test_a_timestamp_that_is_none_is_zero(
    monitor: EventMonitor, told: Told, timestamp: str
) -> None:
    monitor.subscribe("s")
    told(0.0, 5.0)
    assert instants(monitor, "s", timestamp) == [[0.0, 5.0]]


@pytest.mark.parametrize("empty", [None, ""])
def test_without_a_timestamp_it_is_the_last_request(
    monitor: EventMonitor, told: Told, clock: Clock, empty: str | None
) -> None:
    monitor.subscribe("s")
    told(999.0, 1000.0, 1005.0)
    clock.now = 1010.0
    assert instants(monitor, "s", empty) == [[1000.0, 1005.0]], "since the session began"
    told(1009.0, 1010.0)
    assert instants(monitor, "s", empty) == [[1010.0]], "since the last request, that included"
    assert instants(monitor, "s", empty) == [[1010.0]]
    clock.now = 1011.0
    assert instants(monitor, "s", empty) == [[1010.0]]
    assert instants(monitor, "s", empty) == [[]]


def test_a_timestamp_does_not_move_the_last_request(
    monitor: EventMonitor, told: Told, clock: Clock
) -> None:
    monitor.subscribe("s")
    told(1001.0)
    clock.now = 1010.0
    monitor.getdata("s", "5.0")
    assert instants(monitor, "s", None) == [[1001.0]]


def test_sessions_and_subscriptions_are_their_own(monitor: EventMonitor, told: Told) -> None:
    first = monitor.subscribe("s", origin="a")
    second = monitor.subscribe("s", origin="b")
    monitor.subscribe("other", event_id=1051)
    told(5.0, origin="a")
    told(6.0, origin="b")
    assert instants(monitor, "s", "0") == [[5.0], [6.0]]
    assert instants(monitor, "s", "0", [second.subscription_id]) == [[6.0]]
    assert instants(monitor, "s", "0", ["nonsense", first.subscription_id]) == [[5.0]]
    assert instants(monitor, "other", "0") == [[]]


def test_an_unknown_session_has_no_data(monitor: EventMonitor) -> None:
    reply = monitor.getdata("nobody", "0")
    assert (reply.session_id, reply.data) == ("nobody", ())


def test_unsubscribing_ends_one_or_all_and_is_always_ok(monitor: EventMonitor) -> None:
    first = monitor.subscribe("s").subscription_id
    second = monitor.subscribe("s").subscription_id
    third = monitor.subscribe("s").subscription_id

    def left() -> list[str]:
        return [one.subscription_id for one in monitor.getdata("s").data]

    assert monitor.unsubscribe("s", "nonsense").status == "OK"
    assert left() == [first, second, third]
    assert monitor.unsubscribe("s", second).status == "OK"
    assert left() == [first, third]
    assert monitor.unsubscribe("s").status == "OK"
    assert left() == []
    assert monitor.unsubscribe("s").status == "OK"
    assert monitor.unsubscribe("nobody", "nothing").status == "OK"


def test_what_was_ended_receives_no_more(
    monitor: EventMonitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminated = []
    end = EventSubscriber.terminate
    monkeypatch.setattr(
        EventSubscriber, "terminate", lambda self: (terminated.append(self.binding_key), end(self))
    )
    monitor.subscribe("s", origin="a")
    monitor.subscribe("s", origin="b")
    monitor.unsubscribe("s")
    assert terminated == ["*.a", "*.b"]


def test_an_event_without_an_instant_is_of_when_it_arrived(
    monitor: EventMonitor, told: Told
) -> None:
    monitor.subscribe("s")
    CompassEventPublisher(origin="x").publish_event(RawMessage(b"raw"))
    CompassEventPublisher(origin="x").publish_event(EventMessage(name="n"))
    told.wait(2)
    found = monitor.getdata("s", "1000").data[0].events
    assert [type(one) for one in found] == [RawMessage, EventMessage]
    assert monitor.getdata("s", "1000.5").data[0].events == ()


class TestBounds:
    def kept(self, clock: Clock, **bounds: Any) -> KeptEvents:
        given = {"max_events": 3, "max_age": 60.0, "max_bytes": 100} | bounds
        return KeptEvents(clock=clock, **given)

    def data(self, instant: float, *, size: int = 1) -> EventData:
        return EventData(EventMessage(datetime=instant), "1001.x", size=size)

    def left(self, kept: KeptEvents) -> list[float]:
        return [event.datetime for event in kept.since(0)]

    def test_of_number(self, clock: Clock) -> None:
        kept = self.kept(clock)
        for instant in range(5):
            kept.keep(self.data(instant))
        assert self.left(kept) == [2, 3, 4]

    def test_of_bytes(self, clock: Clock) -> None:
        kept = self.kept(clock)
        for instant, size in enumerate([60, 40, 1]):
            kept.keep(self.data(instant, size=size))
        assert self.left(kept) == [1, 2]
        kept.keep(self.data(3, size=101))
        assert self.left(kept) == []
        kept.keep(self.data(4, size=100))
        assert self.left(kept) == [4]

    def test_of_age_by_arrival(self, clock: Clock) -> None:
        kept = self.kept(clock)
        kept.keep(self.data(5.0))
        clock.now += 60.0
        kept.keep(self.data(1.0))
        assert self.left(kept) == [5.0, 1.0]
        clock.now += 0.5
        assert self.left(kept) == [1.0]

    def test_of_subscriptions(self, system: str, clock: Clock) -> None:
        monitor = EventMonitor(max_subscriptions=2, clock=clock)
        monitor.subscribe("s")
        monitor.subscribe("t")
        with pytest.raises(SubscriptionRefused, match="there are 2 subscriptions"):
            monitor.subscribe("u")
        monitor.unsubscribe("s")
        monitor.subscribe("u")
        monitor.terminate()

    def test_of_idleness(self, system: str, clock: Clock) -> None:
        monitor = EventMonitor(max_idle=100.0, max_subscriptions=2, clock=clock)
        monitor.subscribe("idle")
        monitor.subscribe("busy")
        clock.now += 60.0
        monitor.getdata("busy", "123.0")
        clock.now += 60.0
        monitor.subscribe("new")
        assert [len(monitor.getdata(one).data) for one in ("idle", "busy", "new")] == [0, 1, 1]
        monitor.terminate()

    def test_a_session_without_subscriptions_is_none(self, system: str, clock: Clock) -> None:
        monitor = EventMonitor(clock=clock)
        for number in range(3):
            reply = monitor.subscribe(f"s{number}")
            monitor.unsubscribe(reply.session_id, reply.subscription_id)
        assert monitor._sessions == {}
        monitor.terminate()

    def test_a_subscription_that_failed_takes_no_place(
        self, system: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monitor = EventMonitor(max_subscriptions=1, clock=clock)
        with monkeypatch.context() as failing:
            failing.setattr(EventSubscriber, "activate", lambda self: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                monitor.subscribe("s")
        monitor.subscribe("s")
        monitor.terminate()


def test_it_ends_with_all_its_subscriptions(system: str) -> None:
    monitor = EventMonitor()
    monitor.subscribe("s")
    monitor.terminate()
    assert monitor.getdata("s").data == ()
    with pytest.raises(EventNotReady):
        monitor.subscribe("s")


def test_other_subscribers_are_not_in_its_way(monitor: EventMonitor, told: Told) -> None:
    with SubscriberFactory(handler=lambda data: None).build():
        monitor.subscribe("s")
        monitor.subscribe("t")
        told(5.0, times=2)
        assert instants(monitor, "s", "0") == instants(monitor, "t", "0") == [[5.0]]
