"""Five thousand registrations end at once: none is served late, a neighbour notices nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests import soap
from tests.databases import DATABASES
from tests.integration.timing import BestOfThree, Caller, p99
from tests.migrated import with_tables
from tests.service import RunningService, running_service
from tests.waiting import until

pytestmark = pytest.mark.alone

MANY = 5000
CONFIG = "".join(f"[groups.{name}]\nrequire_source = false\n" for name in ("Ending", "Neighbour"))
NEIGHBOURS = 50
#: How far a server's clock is known.
SAMPLED = timedelta(milliseconds=10)
PLAIN = "<x:info xmlns:x='urn:x'>some words about it</x:info>"


@pytest.fixture(scope="module", params=DATABASES)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("ending")
    with (
        with_tables(request.param, folder) as url,
        running_service(folder, config=CONFIG, options=["--database", url]) as running,
    ):
        for number in range(NEIGHBOURS):
            soap.add(at(running, "Neighbour"), f"http://127.0.0.1:1/{number}", PLAIN)
        yield running


def at(service: RunningService, group: str) -> str:
    return f"{service.url}/wsrf/services/{group}"


def entries_of() -> bytes:
    rp, sg = soap.NS["oasis"]["rp"], soap.NS["oasis"]["sg"]
    return soap.envelope(
        f'<rp:GetResourceProperty xmlns:rp="{rp}" xmlns:sg="{sg}">sg:Entry</rp:GetResourceProperty>'
    )


def add_many(service: RunningService, ends: datetime) -> None:
    """Register many that end at one instant, over as many connections as there are threads."""
    url = at(service, "Ending")

    def some(first: int) -> None:
        caller = Caller(url)
        try:
            for number in range(first, MANY, 16):
                body = soap.add_body(
                    f"http://127.0.0.1:1/{number}", PLAIN, termination=ends.isoformat()
                )
                _, status, content = caller.ask(soap.envelope(body))
                assert status == 200, content
        finally:
            caller.close()

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(some, range(16)))


def all_added(service: RunningService) -> datetime:
    """The instant at which many that were registered end, some seconds from now."""
    # As long as a machine needs for them; one that is busy is given more.
    for seconds in (25, 50, 100):
        ends = datetime.now(UTC) + timedelta(seconds=seconds)
        add_many(service, ends)
        if datetime.now(UTC) < ends - timedelta(seconds=5):
            return ends
        time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds() + 1))
    raise AssertionError("this machine is too busy")


class Watching:
    """Reads the ending group without pause and notes what was there in replies to whom."""

    def __init__(self, service: RunningService) -> None:
        self._caller = Caller(at(service, "Ending"))
        self._goes_on = True
        self.seen: list[tuple[datetime, datetime, int]] = []
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while self._goes_on:
            began = datetime.now(UTC)
            _, status, content = self._caller.ask(entries_of())
            assert status == 200, content
            self.seen.append((began, datetime.now(UTC), content.count(b"http://127.0.0.1:1/")))
            time.sleep(0.01)

    def end(self) -> None:
        self._goes_on = False
        self._thread.join(30)
        self._caller.close()


def test_many_that_end_together_are_not_served_late_and_disturb_nobody(
    service: RunningService,
) -> None:
    def attempt() -> list[tuple[str, float, float]]:
        ends = all_added(service)
        time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds() - 4))
        watching = Watching(service)
        neighbour = Caller(at(service, "Neighbour"))
        try:
            rest = p99(neighbour.times([entries_of()], seconds=2))
            time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds() - 1))
            waits = neighbour.times([entries_of()], seconds=4)
        finally:
            watching.end()
            neighbour.close()
        late = [one for one in watching.seen if one[0] > ends + SAMPLED and one[2]]
        assert not late, late[0]
        early = [one for one in watching.seen if one[1] < ends - SAMPLED and one[2] < MANY]
        assert not early, early[0]
        assert any(one[2] == MANY for one in watching.seen)
        until(lambda: "more entries expired" in service.logs(), what="housekeeping")
        return [("in the neighbour", p99(waits), max(2 * rest, rest + 0.1))]

    BestOfThree(attempt).check()
