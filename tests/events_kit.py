"""For tests of events: systems of their own on brokers of either kind, a handler that waits."""

from __future__ import annotations

import os
import queue
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any

import kombu
import pytest

from aggregator.events import (
    EnumField,
    EventData,
    EventPublisher,
    EventSubscriber,
    Message,
    ResourceLifecycleEventPublisher,
    TextField,
    configure,
    metrics,
)
from aggregator.events.settings import _Process
from aggregator.events.tasks import SECOND, MemoryTasks
from aggregator.events.transport import disconnect
from aggregator.store.migrate import migrate
from tests.cut_proxy import CutProxy
from tests.databases import database
from tests.stores import opened

VARIABLE = "AGGREGATOR_TEST_AMQP"
DEFAULT = "amqp://guest:guest@localhost:5672//"
#: Seconds after which what was published has certainly arrived.
SOON = 20.0


class CompassEventMessage(Message):
    """A message of who uses the package."""

    type_id = 90_001

    class Direction(IntEnum):
        """Where to."""

        NORTH = 1
        SOUTH = 2

    direction = EnumField(Direction)
    note = TextField()


class CompassEventPublisher(EventPublisher):
    """A publisher of who uses the package."""

    event_id = 9001
    msg_type = CompassEventMessage

    class Direction:
        """Names for `direction`."""

        NORTH = "NORTH"
        SOUTH = "SOUTH"


class CompassEventSubscriber(EventSubscriber):
    """A subscriber of who uses the package."""

    event_id = 9001


class Inbox:
    """A handler that keeps what it is given until it is asked for."""

    def __init__(self) -> None:
        self.arrived: queue.Queue[EventData] = queue.Queue()

    def __call__(self, data: EventData) -> None:
        self.arrived.put(data)

    def next(self) -> EventData:
        """What comes next; fails where nothing does."""
        try:
            return self.arrived.get(timeout=SOON)
        except queue.Empty:
            raise AssertionError(f"nothing arrived in {SOON:g} s") from None

    def described(self, number: int) -> list[Any]:
        """The descriptions of the next events."""
        return [self.next().content.description for _ in range(number)]


@contextmanager
def own_system(broker: str) -> Iterator[str]:
    """A system of a name that no other has; all that it declared at the broker is gone after."""
    before, name = _Process.settings, f"test{uuid.uuid4().hex[:12]}"
    configure(sys_name=name, broker=broker)
    try:
        yield name
    finally:
        disconnect()
        _Process.settings = before
        if broker.startswith("amqp"):
            delete(f"{name}.events.topic")


def delete(exchange: str, *queues: str) -> None:
    """Delete what is named at the test broker."""
    with kombu.Connection(amqp_url()) as connection:
        channel = connection.channel()
        channel.exchange_delete(exchange)
        for name in queues:
            channel.queue_delete(name)


def amqp_url() -> str:
    """The broker to test with; skips the test where there is none."""
    url = os.environ.get(VARIABLE, "") or DEFAULT
    refused = _refused(url)
    if refused:
        missing = f"no RabbitMQ at {VARIABLE} ({url}): {refused}"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return url


@cache
def _refused(url: str) -> str:
    try:
        with kombu.Connection(url, connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0)
    except Exception as error:
        return str(error).split("\n", 1)[0] or type(error).__name__
    return ""


@pytest.fixture
def system() -> Iterator[str]:
    """The name of a system within this process."""
    with own_system("") as name:
        yield name


@pytest.fixture(
    params=["memory", "amqp", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
)
def system_on_each(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The name of a system: within this process, on the broker, and in each kind of store."""
    if request.param in ("memory", "amqp"):
        with own_system(amqp_url() if request.param == "amqp" else "") as name:
            yield name
        return
    with migrated(request.param, tmp_path) as url, own_system(url) as name:
        yield name


@contextmanager
def migrated(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty store of a kind, as processes of the service have it."""
    with database(kind, folder) as url:
        store = opened(url, folder)
        try:
            migrate(store)
        finally:
            store.close()
        yield url


@pytest.fixture
def system_on_amqp() -> Iterator[str]:
    """The name of a system on the broker."""
    with own_system(amqp_url()) as name:
        yield name


@pytest.fixture
def way(system_on_amqp: str) -> Iterator[CutProxy]:
    """The way to the broker, which the subscribers and publishers of the test take."""
    with kombu.Connection(amqp_url()) as real:
        proxy = CutProxy(real.hostname or "localhost", int(real.port or 5672))
    configure(broker=proxy.url(amqp_url()))
    yield proxy
    proxy.mend()


def directly(description: str) -> None:
    """Publish, not by the way that the test may have cut."""
    publisher = ResourceLifecycleEventPublisher(origin="x", broker=amqp_url())
    publisher.create_and_publish_event(description=description)


def reconnections() -> float:
    """How often subscribers connected again."""
    (family,) = metrics.RECONNECTED.collect()
    return next(one.value for one in family.samples if one.name.endswith("_total"))


@pytest.fixture
def inbox(system: str) -> Iterator[Inbox]:
    """What any publisher of the system publishes."""
    found = Inbox()
    subscriber = EventSubscriber()
    subscriber.on_data = found
    with subscriber:
        yield found


class TurnedTasks(MemoryTasks):
    """Tasks whose clock is turned by hand; the time of day is an hour ahead."""

    instant = 1_000_000 * SECOND

    def now(self) -> int:
        return self.instant

    def ahead(self) -> int:
        return 3600 * SECOND


@pytest.fixture
def tasks() -> TurnedTasks:
    return TurnedTasks()
