"""The end of a process' way to a store: nothing of it goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.events.transport import Delivery, Exchange, Queue
from aggregator.events.transport import store as store_transport
from aggregator.events.transport.store import StoreTransport
from tests.databases import DATABASES
from tests.events_kit import migrated
from tests.waiting import until

EXCHANGE = Exchange("x")
NAMED = Queue(exchange=EXCHANGE, binding="#", name="q", auto_delete=False)
OWN = Queue(exchange=EXCHANGE, binding="#")


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with migrated(request.param, tmp_path) as found:
        yield found


def threads() -> int:
    return sum(one.name.startswith("events-store") for one in threading.enumerate())


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stores that are opened."""
    found, really = [], store_transport.open_store

    def opening(**given: object) -> object:
        found.append(str(given["url"]))
        return really(**given)  # type: ignore[arg-type]

    monkeypatch.setattr("aggregator.events.transport.store.open_store", opening)
    monkeypatch.setattr("aggregator.events.transport.store._SIGN", 0.1)
    return found


def test_nothing_goes_on_after_it(url: str, opened: list[str]) -> None:
    before, found = threads(), StoreTransport(url)
    for queue in (NAMED, OWN):
        found.subscribe(queue, lambda delivery: None, timeout=5.0)
    found.close()
    until(lambda: threads() == before, within=3, what="all threads have ended")
    time.sleep(0.5)
    assert len(opened) == 1


def test_a_handler_that_goes_on_does_not_open_the_store_again(
    url: str, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aggregator.events.transport.store._FAREWELL", 0.1)
    before, found = threads(), StoreTransport(url)
    begun, free = threading.Event(), threading.Event()

    def handler(delivery: Delivery) -> None:
        begun.set()
        free.wait(10)

    found.subscribe(NAMED, handler, timeout=5.0)
    found.publish(Delivery(routing_key="1.o", body=b""), exchange=EXCHANGE, timeout=5.0)
    assert begun.wait(10)
    found.close()
    free.set()
    until(lambda: threads() == before, within=3, what="all threads have ended")
    assert len(opened) == 1


def test_it_may_be_used_again(url: str, opened: list[str]) -> None:
    found, arrived = StoreTransport(url), []
    for number in range(2):
        found.subscribe(NAMED, lambda one: arrived.append(one.body), timeout=5.0)
        found.publish(
            Delivery(routing_key="1.o", body=b"%d" % number), exchange=EXCHANGE, timeout=5.0
        )
        until(lambda: len(arrived) == number + 1, within=5, what="it has arrived")  # noqa: B023
        found.close()
    assert arrived == [b"0", b"1"]
    assert len(opened) == 2


def test_a_subscription_that_ended_is_not_kept(url: str, opened: list[str]) -> None:
    found = StoreTransport(url)
    for _ in range(3):
        found.subscribe(OWN, lambda delivery: None, timeout=5.0).cancel(timeout=5.0)
    assert not found._subscriptions
    found.close()
