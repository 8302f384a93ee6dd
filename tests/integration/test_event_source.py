"""Events as a way to collect: from another process into the index, whatever is killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import kombu
import pytest
from lxml import etree

from aggregator.events import (
    RawMessage,
    ResourceLifecycleEventPublisher,
    configure,
)
from tests import events_kit, notified, soap
from tests.chaos.victims import role_of
from tests.databases import database
from tests.service import RunningService, groups, running_service
from tests.stores import opened
from tests.waiting import until

from .events_process import started

MEMBER = "http://127.0.0.1:9/events"
CONFIG = (
    "[events]\ndurable = true\nsys_name = '{system}'\nbroker = '{broker}'\nmax_fetch = 10\n"
    "max_message = '64KiB'\n"
    + groups(12).replace("min_interval", "notify_on_content_change = true\nmin_interval")
)


@dataclass
class Scene:
    """A service that collects events of a system, which this process publishes too."""

    service: RunningService
    store: str
    folder: Path
    has_broker: bool

    def queues(self) -> int:
        """How many queues there are in the store or at the broker, of those that entries know."""
        held = opened(self.store, self.folder)
        try:
            if not self.has_broker:
                count = "SELECT count(*) FROM event_queues"
                return int(held.query(lambda found: found.exec_driver_sql(count).scalar()))
        finally:
            held.close()
        return sum(map(is_at_broker, self.names))

    names: tuple[str, ...] = ()

    def know(self) -> None:
        """Remember the names of the entries' queues."""
        held = opened(self.store, self.folder)
        try:
            ask = "SELECT memory FROM entry_health"
            rows = held.query(lambda found: list(found.exec_driver_sql(ask).scalars()))
        finally:
            held.close()
        self.names = tuple(json.loads(row)["queue"] for row in rows if "queue" in row)


def is_at_broker(name: str) -> bool:
    with kombu.Connection(events_kit.amqp_url()) as connection:
        try:
            connection.channel().queue_declare(queue=name, passive=True)
        except Exception:
            return False
        return True


@pytest.fixture(
    scope="module",
    params=[
        ("sqlite", False),
        pytest.param(("postgresql", False), marks=pytest.mark.postgresql),
        ("sqlite", True),
    ],
    ids=["sqlite", "postgresql", "amqp"],
)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    kind, has_broker = request.param
    folder = tmp_path_factory.mktemp("service")
    broker = events_kit.amqp_url() if has_broker else ""
    with database(kind, folder) as url, events_kit.own_system(broker or url) as system:
        configure(durable=True)
        config = CONFIG.format(system=system, broker=broker)
        with running_service(folder, config=config, options=["--database", url]) as service:
            yield Scene(service, url, folder, has_broker)


@pytest.fixture
def scene(shared: Scene) -> Iterator[Scene]:
    yield shared
    shared.know()
    shared.service.end_entries()
    until(lambda: shared.queues() == 0, what="no queue is left behind")


def block(event_id: str = "", origin: str = "") -> str:
    given = f"<agg:EventId>{event_id}</agg:EventId>" if event_id else ""
    given += f"<agg:Origin>{origin}</agg:Origin>" if origin else ""
    return (
        f'<agg:AggregatorConfig xmlns:agg="{soap.AGG}"><agg:EventSubscriptionType>{given}'
        "</agg:EventSubscriptionType></agg:AggregatorConfig>"
    )


def data(group: str) -> etree._Element | None:
    (entry,) = soap.entries(group)
    found = entry.find("{*}Content/{*}AggregatorData")
    return None if found is None or not len(found) else found[0]


def described(group: str) -> str | None:
    """The description of the event that the only entry publishes."""
    found = data(group)
    if found is None:
        return None
    named = found.findall(".//{urn:mds-aggregator:events}Field[@name='description']")
    return named[0].text if named else None


def error(group: str) -> str:
    """The code of the error that the only entry shows."""
    (entry,) = soap.entries(group)
    return entry.findtext(".//{*}AggregatorError//{urn:mds-aggregator:health}code") or ""


def test_what_another_process_publishes_is_in_the_index(scene: Scene) -> None:
    group, other = scene.service.next_group(), scene.service.next_group()
    soap.add(group, MEMBER, block("1001", "site.#"))
    soap.add(other, MEMBER, block("1001", "elsewhere"))
    settings = configure()
    publishing = started("publish", settings.sys_name, settings.broker, "site.a", "3", "durable")
    assert publishing.wait(30) == 0
    assert publishing.stdout is not None
    publishing.stdout.close()
    until(lambda: described(group) == "2", what="the last event")
    found = data(group)
    assert found is not None
    assert found.get("topic") == "1001.site.a"
    assert found.get("sender")
    assert data(other) is None


def test_nothing_after_the_answer_of_the_add_is_missed(scene: Scene) -> None:
    group = scene.service.next_group()
    soap.add(group, MEMBER, block(origin="now"))
    ResourceLifecycleEventPublisher(origin="now").create_and_publish_event(description="at once")
    until(lambda: described(group) == "at once", what="the event")


def test_what_is_no_event_of_ours_is_published_as_what_it_is(scene: Scene) -> None:
    group = scene.service.next_group()
    soap.add(group, MEMBER, block(origin="raw"))
    publisher = ResourceLifecycleEventPublisher(origin="raw")
    publisher.publish_event(RawMessage(b"<x:y xmlns:x='urn:x'>1</x:y>", 2001, "text/xml"))
    until(lambda: getattr(data(group), "tag", "") == "{urn:x}y", what="XML as it is")
    publisher.publish_event(RawMessage(b"\x00\x01", 10001, "application/x-ion"))
    until(lambda: getattr(data(group), "text", "") == "AAE=", what="bytes")
    spoilt = "application/vnd.mds-aggregator.event+json"
    publisher.publish_event(RawMessage(b'{"format":', 1, spoilt))
    publisher.publish_event(RawMessage(b"x" * 70_000, 1, "text/plain"))
    until(lambda: "the event: the message is no" in scene.service.logs(), what="it is told of")
    assert getattr(data(group), "text", "") == "AAE=", "what there was stays"
    time.sleep(2.5)
    assert error(group) == "wrong-content", "though the queue was looked into again"
    publisher.create_and_publish_event(description="after")
    until(lambda: described(group) == "after", what="the next event")
    until(lambda: error(group) == "", what="it is forgotten with the next event")
    assert "1 events are larger than events.max_message" in scene.service.logs()


def test_a_queue_goes_with_its_entry(scene: Scene) -> None:
    group = scene.service.next_group()
    entry = soap.add(group, MEMBER, block("2001"))
    scene.know()
    until(lambda: scene.queues() == 1, what="there is a queue")
    soap.destroy(entry)
    until(lambda: scene.queues() == 0, what="the queue is gone")


def test_a_collector_that_is_killed_loses_none(scene: Scene) -> None:
    """Between fetching and storing, between storing and acknowledging, and in what follows."""
    group, number = scene.service.next_group(), 60
    soap.add(group, MEMBER, block("1001", "kill"))
    with notified.consumer() as consumer:
        notified.subscribe(group, consumer.url)
        publisher = ResourceLifecycleEventPublisher(origin="kill")
        for count in range(number):
            publisher.create_and_publish_event(description=str(count))
            if count % 20 == 10:
                collector = until(lambda: role_of(scene.service, "collector"), what="a collector")
                os.kill(collector.pid, signal.SIGKILL)
        until(lambda: described(group) == str(number - 1), what="the last event")
        # Who subscribed was told of each as it was published, of some of them twice.
        wanted = [str(count) for count in range(number)]
        until(lambda: set(wanted) <= set(told(consumer)), what="each was published")
        found = told(consumer)
        assert list(dict.fromkeys(found)) == wanted, "in order"


def told(consumer: notified.Consumer) -> list[str]:
    """The descriptions of the events that a consumer was told of."""
    path = "{*}NewValues/{*}Entry//{urn:mds-aggregator:events}Field[@name='description']"
    return [found.text for message in consumer.messages() for found in message.findall(path)]


def test_a_broker_that_hangs_refuses_the_add_in_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        broker = f"amqp://127.0.0.1:{hanging.getsockname()[1]}//"
        config = (
            f"[notifications]\nestablish_timeout = '1s'\n[events]\nbroker = '{broker}'\n{groups(1)}"
        )
        with running_service(tmp_path, config=config) as service:
            began = time.monotonic()
            answer = soap.call(service.next_group(), soap.add_body(MEMBER, block()))
            assert answer.status == 500
            assert time.monotonic() - began < 6


def test_no_broker_is_told_and_refuses_the_add(tmp_path: Path) -> None:
    broker = "amqp://user:s3cret@127.0.0.1:9//"
    config = f"[events]\nbroker = '{broker}'\nbroker_timeout = '1s'\n{groups(1)}"
    with running_service(tmp_path, config=config) as service:
        answer = soap.call(service.next_group(), soap.add_body(MEMBER, block()))
        assert answer.status == 500
        text = etree.tostring(answer.body).decode()
        assert "the event broker does not answer" in text
        assert "s3cret" not in text + service.logs()
