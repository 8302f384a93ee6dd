"""The service's life as other processes see it on the bus, through the store and on a broker."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import events_kit, notified, soap
from tests.databases import database
from tests.service import RunningService, start_service
from tests.stores import opened
from tests.waiting import until

from .bus_kit import Watcher, failing_member, watching
from .notification_kit import renewed

CONFIG = """\
[collect]
housekeeping_interval = '1s'
[events]
publish = true
sys_name = '{system}'
broker = '{broker}'
[groups.Group0]
sinks = ['index']
min_interval_millis = 100
"""
POLL = soap.get_property_config("w:load", millis=200, declare='xmlns:w="urn:w"')


@dataclass
class Scene:
    """A service, and where its bus is watched."""

    folder: Path
    url: str
    broker: str
    system: str
    service: RunningService

    @property
    def watched(self) -> str:
        return self.broker or self.url

    def start(self) -> None:
        config = CONFIG.format(system=self.system, broker=self.broker)
        self.service = start_service(self.folder, config=config, options=["--database", self.url])

    @property
    def group(self) -> str:
        return f"{self.service.url}/wsrf/services/Group0"


@pytest.fixture(
    params=[
        ("sqlite", False),
        pytest.param(("postgresql", False), marks=pytest.mark.postgresql),
        ("sqlite", True),
    ],
    ids=["sqlite", "postgresql", "amqp"],
)
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    kind, has_broker = request.param
    broker = events_kit.amqp_url() if has_broker else ""
    system = f"test{uuid.uuid4().hex[:12]}"
    with database(kind, tmp_path) as url:
        found = Scene(tmp_path, url, broker, system, None)  # type: ignore[arg-type]
        found.start()
        try:
            yield found
        finally:
            if found.service.process.poll() is None:
                found.service.stop()
            if broker:
                events_kit.delete(f"{system}.events.topic")


def soon() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))


def test_another_process_sees_the_life_of_the_service(scene: Scene) -> None:
    with (
        watching(scene.system, scene.watched) as watcher,
        failing_member() as member,
        notified.consumer() as consumer,
    ):
        entry = soap.add(scene.group, member.url, POLL)
        added = watcher.what("added")
        assert added["facts"]["entry"] == entry.key
        assert added["facts"]["member"] == member.url
        assert added["topic"] == f"1001.Group0.{entry.key}"
        assert (added["state"], added["message"]) == ("NEW", "ResourceLifecycleEventMessage")
        member.fails = True
        failing = watcher.what("failing", entry=entry.key)
        assert failing["facts"]["error"]["code"] == "http-status"
        assert (failing["topic"], failing["status"]) == (f"1102.Group0.{entry.key}", "ERROR")
        member.fails = False
        assert watcher.what("recovered", entry=entry.key)["topic"] == f"1101.Group0.{entry.key}"
        renewed(entry)
        assert watcher.what("renewed", entry=entry.key)["state"] == "ACTIVE"
        manager = notified.subscribe(scene.group, consumer.url)
        made = watcher.what("subscribed", group="Group0")
        assert made["topic"] == "1201.Group0"
        assert made["facts"]["subscription"] not in manager
        assert notified.manage(manager, "Unsubscribe").status == 200
        gone = watcher.what("unsubscribed")
        assert gone["facts"]["subscription"] == made["facts"]["subscription"]
        soap.destroy(entry)
        destroyed = watcher.what("destroyed", entry=entry.key)
        assert destroyed["state"] == "TERMINATED"
        short = soap.add(scene.group, member.url, soap.IDLE)
        assert soap.set_termination_time(short, soon()).status == 200
        assert watcher.what("expired", entry=short.key)["state"] == "TERMINATED"
        # Who sets the end to what is past ends it, as GT's clients do.
        left = soap.add(scene.group, member.url, soap.IDLE)
        assert soap.set_termination_time(left, "2001-01-01T00:00:00Z").status == 200
        assert watcher.what("destroyed", entry=left.key)["state"] == "TERMINATED"
        ways = [e["what"] for e in watcher.events if e["facts"].get("entry") == left.key]
        assert ways == ["added", "destroyed"]
        keys = [event["key"] for event in watcher.events]
        assert len(set(keys)) == len(keys), "none came twice"
        # What a broker took in the instant in which the service ends may come again.
        ends_and_begins(scene, watcher)
        assert all(event["key"] == event["facts"]["id"] for event in watcher.events)


def ends_and_begins(scene: Scene, watcher: Watcher) -> None:
    scene.service.stop()
    stopped = watcher.what("stopped")
    assert stopped["topic"].startswith(f"1051.{socket.gethostname()}:")
    assert stopped["facts"]["address"] == scene.service.url
    assert stopped["state"] == "TERMINATED"
    scene.start()
    assert watcher.what("started")["state"] == "ACTIVE"


def test_what_is_not_published_costs_nothing(scene: Scene) -> None:
    """Nothing is written down for a group that nobody is told of, be it after a time on the bus."""
    scene.service.stop()
    config = "[groups.Group0]\nsinks = ['index']\n"
    scene.service = start_service(scene.folder, config=config, options=["--database", scene.url])
    soap.add(scene.group, "http://127.0.0.1:9/x", soap.IDLE)
    store = opened(scene.url, scene.folder)

    def rows(table: str) -> int:
        count = f"SELECT count(*) FROM {table}"
        return int(store.query(lambda found: found.exec_driver_sql(count).scalar()))

    try:
        assert rows("entries") == 1
        for table in ("subscriptions", "notices", "happenings"):
            until(lambda table=table: rows(table) == 0, what=f"{table} is empty")
    finally:
        store.close()
