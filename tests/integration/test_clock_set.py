"""A clock that is set, and hosts that disagree, end no registration early and keep none alive."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests import databases, soap
from tests.counting import counted
from tests.integration import own_postgresql
from tests.integration.set_clock import SetClock, set_clock
from tests.member import running_member
from tests.service import RunningService, running_service, start_service
from tests.soap import EntryReference
from tests.waiting import until

pytestmark = pytest.mark.long

postgresql_url = databases.postgresql_url
HOUR = 3600.0
CONFIG = "[groups.DefaultIndexService]\nmin_interval_millis = 100\n"
TIME = f'xmlns:rl="{soap.NS["oasis"]["rl"]}"'
#: Seconds that a registration lives in these tests, and how far that may be missed by polling.
LIFE, SLACK = 8.0, 4.0


class Host:
    """A service whose time of day can be set."""

    def __init__(self, clock: SetClock, service: RunningService) -> None:
        self.clock = clock
        self.service = service
        self.ahead = 0.0

    def set_by(self, seconds: float) -> None:
        self.ahead = seconds
        self.clock.set_by(seconds)

    def now(self) -> datetime:
        """What a client on this host takes for the time."""
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    def shown(self, entry: EntryReference, name: str) -> datetime:
        """A property of an entry that is a time."""
        answer = soap.get_property(entry.address, name, header=entry.header)
        assert answer.status == 200, answer.content
        return datetime.fromisoformat(answer.body[0].text)

    def collected(self, entry: EntryReference) -> datetime:
        """When an entry was collected last."""
        answer = soap.get_property(entry.address, "h:health", header=entry.header)
        found = answer.body.find(".//{urn:mds-aggregator:health}lastSuccess")
        assert found is not None, answer.content
        return datetime.fromisoformat(found.text)

    def off(self, entry: EntryReference) -> float:
        """Seconds by which the time that is shown is ahead of the time of day."""
        return (self.shown(entry, "rl:CurrentTime") - self.now()).total_seconds()

    def left(self, entry: EntryReference) -> float:
        """Seconds that an entry has yet to live, as it tells itself."""
        end = self.shown(entry, "rl:TerminationTime")
        return (end - self.shown(entry, "rl:CurrentTime")).total_seconds()

    def is_there(self, entry: EntryReference) -> bool:
        answer = soap.get_property(entry.address, "rl:CurrentTime", header=entry.header)
        assert answer.status == 200 or answer.fault[0] == "ResourceUnknownFault"
        listed = entry.key in soap.get_property(self.service.group, "sg:Entry").content.decode()
        assert answer.status == 200 or not listed
        return listed


@contextmanager
def host(folder: Path, kind: str) -> Iterator[Host]:
    """A service whose own clock, or the clock of whose database's server, can be set."""
    with set_clock() as clock:
        if kind == "sqlite":
            with running_service(folder, config=CONFIG, environ=clock.environ) as service:
                yield Host(clock, service)
            return
        with own_postgresql.started(clock.environ) as server:
            options = ["--database", server.url]
            with running_service(folder, config=CONFIG, options=options) as service:
                yield Host(clock, service)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def one(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path, request.param) as made:
        until(lambda: "collecting" in made.service.logs(), what="the collector")
        yield made


def until_gone(one: Host, entry: EntryReference) -> float:
    """When, by the steady clock, an entry was not there any more."""
    until(lambda: not one.is_there(entry), within=40, what="the end of an entry")
    return time.monotonic()


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forward", "back"])
def test_lifetimes_go_on_when_the_clock_is_set(one: Host, step: float) -> None:
    group = one.service.group
    with running_member() as member:
        config = soap.get_property_config("rl:CurrentTime", millis=200, declare=TIME)
        polled = soap.add(group, member, config)
        began = time.monotonic()
        short = soap.add(group, "http://127.0.0.1:1/short", termination=f"PT{LIFE}S")
        long = soap.add(group, "http://127.0.0.1:1/long", termination="PT2H")
        endless = soap.add(group, "http://127.0.0.1:1/endless")
        one.set_by(step)
        seen = 0
        while one.is_there(short):
            seen += 1
            assert one.is_there(long)
            assert one.is_there(endless)
        lived = time.monotonic() - began
        assert seen > 1
        assert LIFE - 0.1 < lived < LIFE + SLACK
        until(lambda: "the time of day was set" in one.service.logs(), what="a line about it")
        until(lambda: counted(one.service, "aggregator_clock_set_total") > 0, what="its count")
        assert abs(one.left(long) - 2 * HOUR) < 60
        # What was asked for from now on is understood as who asks means it.
        # Each worker knows it after a moment.
        until(lambda: all(abs(one.off(long)) < 2 for _ in range(16)), what="the new time of day")
        end = one.now() + timedelta(seconds=5)
        began = time.monotonic()
        later = soap.add(group, "http://127.0.0.1:1/later", termination=end.isoformat())
        assert one.is_there(later)
        assert 3 < until_gone(one, later) - began < 5 + SLACK
        answer = soap.set_termination_time(long, (one.now() + timedelta(hours=3)).isoformat())
        assert answer.status == 200
        assert abs(one.left(long) - 3 * HOUR) < 60
        # Results of collections are newer than those from before.
        before = one.collected(polled)
        until(lambda: one.collected(polled) > before, what="a collection")
        one.set_by(0)
        time.sleep(1.5)
        assert one.is_there(long)
        until(lambda: all(abs(one.off(long)) < 2 for _ in range(16)), what="the time of day again")
        assert abs(one.left(long) - 3 * HOUR) < 60


@pytest.fixture
def clock() -> Iterator[SetClock]:
    with set_clock() as made:
        yield made


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forward", "back"])
def test_a_clock_that_was_set_while_the_service_was_down_changes_no_lifetime(
    tmp_path: Path, clock: SetClock, step: float
) -> None:
    first = start_service(tmp_path / "data", environ=clock.environ)
    try:
        entry = soap.add(first.group, "http://127.0.0.1:1/m", termination="PT30M")
    finally:
        first.kill()
    clock.set_by(step)
    with running_service(tmp_path / "data", environ=clock.environ) as service:
        again = Host(clock, service)
        moved = EntryReference(
            entry.address.replace(first.url, service.url), entry.header, entry.key
        )
        assert again.is_there(moved)
        assert 1740 < again.left(moved) <= 1800


@pytest.mark.postgresql
def test_hosts_that_disagree_by_a_minute_agree_when_an_entry_ends(
    postgresql_url: str, tmp_path: Path, clock: SetClock
) -> None:
    clock.set_by(60)
    options = ["--database", postgresql_url]
    with (
        running_service(tmp_path / "right", config=CONFIG, options=options) as right,
        running_service(
            tmp_path / "fast", config=CONFIG, options=options, environ=clock.environ
        ) as ahead,
    ):
        for at, other in ((right, ahead), (ahead, right)):
            began = time.monotonic()
            entry = soap.add(at.group, "http://127.0.0.1:1/m", termination="PT4S")
            while time.monotonic() - began < 3.5:
                for service in (at, other):
                    assert (
                        entry.key in soap.get_property(service.group, "sg:Entry").content.decode()
                    )
                time.sleep(0.05)
            time.sleep(0.6 + max(0.0, began + 3.5 - time.monotonic()))
            for service in (at, other):
                found = soap.get_property(service.group, "sg:Entry").content.decode()
                assert entry.key not in found
