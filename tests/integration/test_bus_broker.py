"""The service's life on a broker that is restarted, or hangs: nothing lost, nobody held up."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import notified, soap
from tests.chaos.victims import role_of
from tests.service import RunningService, running_service
from tests.waiting import until

from .bus_kit import failing_member, watching
from .own_rabbitmq import OwnRabbitMQ

pytestmark = pytest.mark.long
POLL = soap.get_property_config("w:load", millis=200, declare='xmlns:w="urn:w"')


def config(broker: str) -> str:
    return (
        f"[events]\npublish = true\ndurable = true\nsys_name = 'bus'\nbroker = '{broker}'\n"
        "broker_timeout = '3s'\n[groups.Group0]\nsinks = ['index']\nmin_interval_millis = 100\n"
    )


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[OwnRabbitMQ]:
    found = OwnRabbitMQ(tmp_path)
    try:
        found.start()
        yield found
    finally:
        found.stop()


def group(service: RunningService) -> str:
    return f"{service.url}/wsrf/services/Group0"


def is_collected(service: RunningService) -> bool:
    (entry, *_) = soap.entries(group(service))
    return entry.find("{*}Content/{*}AggregatorData/{urn:w}load") is not None


def test_a_broker_that_is_restarted_loses_nothing(broker: OwnRabbitMQ, tmp_path: Path) -> None:
    with (
        failing_member() as member,
        running_service(tmp_path / "service", config=config(broker.url)) as service,
        watching("bus", broker.url, "watch", durable=True) as watcher,
    ):
        keys = [soap.add(group(service), member.url, soap.IDLE).key]
        watcher.what("added", entry=keys[0])
        broker.stop()
        while_away = soap.add(group(service), member.url, POLL)
        until(lambda: is_collected_of(service, while_away.key), what="collected meanwhile")
        keys += [while_away.key]
        keys += [soap.add(group(service), member.url, soap.IDLE).key for _ in range(20)]
        soap.destroy(while_away)
        # Whoever takes over has what was not published yet.
        os.kill(role_of(service, "collector").pid, signal.SIGKILL)  # type: ignore[union-attr]
        broker.start()
        watcher.what("destroyed", entry=while_away.key)
        keys += [soap.add(group(service), member.url, soap.IDLE).key]
        watcher.what("added", entry=keys[-1])
        first = {}
        for event in watcher.events:
            first.setdefault(event["key"], event)
        added = [e["facts"]["entry"] for e in first.values() if e["what"] == "added"]
        assert added == keys, "all of them, in order, and repeats are known by their keys"
        assert broker.url.partition("@")[0] not in service.logs()


def is_collected_of(service: RunningService, key: str) -> bool:
    for entry in soap.entries(group(service)):
        if key in "".join(entry.itertext()):
            return entry.find("{*}Content/{*}AggregatorData/{urn:w}load") is not None
    return False


def test_a_broker_that_hangs_holds_up_nobody(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        url = f"amqp://user:s3cret@127.0.0.1:{hanging.getsockname()[1]}//"
        with (
            failing_member() as member,
            notified.consumer() as consumer,
            running_service(tmp_path / "service", config=config(url)) as service,
        ):
            notified.subscribe(group(service), consumer.url)
            began = time.monotonic()
            soap.add(group(service), member.url, POLL)
            until(lambda: is_collected(service), within=2, what="the member is collected")
            consumer.until_messages(1, within=2)
            until(lambda: "events wait for the broker" in service.logs(), within=20)
            soap.add(group(service), member.url, POLL)
            consumer.until_messages(2, within=2)
            assert time.monotonic() - began < 25
            assert service.stop() == 0
            assert "s3cret" not in service.logs()
