"""An entry ends at its TerminationTime to the request: nowhere later, nowhere earlier."""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import psutil
import pytest

from tests import soap
from tests.databases import DATABASES
from tests.integration.spellings import SPELLINGS
from tests.migrated import with_tables
from tests.service import MANY_GROUPS, RunningService, running_service
from tests.soap import NS, EntryReference, Family
from tests.waiting import until

FAMILIES: tuple[Family, ...] = ("gt4", "oasis")
ENTRY = "<rp:ResourceProperty>sg:Entry</rp:ResourceProperty>"
#: How far a server's clock is known: what one question to it takes, asked of a busy machine.
SAMPLED = timedelta(milliseconds=10)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one request was answered, and when it began and ended by the clock of this host."""

    way: str
    began: datetime
    ended: datetime
    is_there: bool


def now() -> datetime:
    return datetime.now(UTC)


def ways(group: str, entry: EntryReference) -> dict[str, Callable[[], bool]]:
    """Every way to see an entry, each telling whether it is there."""
    spelling = SPELLINGS["oasis"]
    several = spelling.body("GetMultipleResourceProperties", ENTRY)
    document = spelling.body("GetResourcePropertyDocument")
    counting = f"count(//*[local-name()='EntryKey' and .='{entry.key}'])"
    current = spelling.body("GetResourceProperty", "rl:CurrentTime")
    at_entries = f"{group}Entry"

    def shown(body: str) -> bool:
        answer = soap.call(group, body)
        assert answer.status == 200, answer.content
        return entry.key.encode() in answer.content

    def counted() -> bool:
        answer = soap.query(group, counting)
        assert answer.status == 200, answer.content
        return answer.body.text != "0"

    def alive(url: str, header: str) -> bool:
        answer = soap.call(url, current, header=header)
        assert answer.status == 200 or answer.fault[0] == "ResourceUnknownFault"
        return answer.status == 200

    return {
        "property": lambda: shown(spelling.body("GetResourceProperty", "sg:Entry")),
        "property gt4": lambda: shown(SPELLINGS["gt4"].body("GetResourceProperty", "sg:Entry")),
        "several": lambda: shown(several),
        "document": lambda: shown(document),
        "whole by query": lambda: shown(spelling.query("/")),
        "count by query": counted,
        "entries by query": lambda: shown(spelling.query("//*[local-name()='Entry']")),
        "by its address": lambda: alive(entry.address, ""),
        "by its key": lambda: alive(at_entries, entry.header),
    }


def watched(
    looks: dict[str, Callable[[], bool]], *, until_moment: datetime, rounds: int = 2
) -> list[Seen]:
    """Ask in all ways at once, again and again; in each for the last time after a moment."""

    def ask(way: str, look: Callable[[], bool]) -> list[Seen]:
        found = []
        while not found or found[-1].began < until_moment:
            began = now()
            is_there = look()
            found.append(Seen(way, began, now(), is_there))
        return found

    with ThreadPoolExecutor(rounds * len(looks)) as pool:
        asked = [pool.submit(ask, *item) for _ in range(rounds) for item in looks.items()]
        return [seen for future in asked for seen in future.result()]


def is_sampled(service: RunningService) -> bool:
    return "postgresql" in " ".join(psutil.Process(service.process.pid).cmdline())


@pytest.mark.parametrize("family", FAMILIES)
def test_no_reply_to_a_request_begun_after_its_end_shows_an_entry(
    served: RunningService, group: str, family: Family
) -> None:
    """All ways to read it, in both workers, the collector's sweep under way meanwhile."""
    soap.add(group, "http://127.0.0.1:1/stays", family=family)
    entry = soap.add(group, "http://127.0.0.1:1/goes", family=family)
    looks = ways(group, entry)
    assert all(look() for look in looks.values())
    end = (now() + timedelta(seconds=1.2)).replace(microsecond=0) + timedelta(milliseconds=417)
    assert soap.set_termination_time(entry, end.isoformat(), family=family).status == 200
    seen = watched(looks, until_moment=end + timedelta(seconds=0.8))
    slack = SAMPLED if is_sampled(served) else timedelta()
    late = [one for one in seen if one.began > end + slack and one.is_there]
    assert not late, late[0]
    early = [one for one in seen if one.ended < end - slack and not one.is_there]
    assert not early, early[0]
    for way in looks:
        assert any(one.is_there for one in seen if one.way == way), f"{way}: not seen before"
    assert len(soap.entries(group)) == 1


def test_a_renewal_at_the_last_moment_is_granted_or_refused_but_never_both(group: str) -> None:
    """What was granted is there, what was refused is gone, for every reader and for good."""
    keys = [soap.add(group, f"http://127.0.0.1:1/{number}") for number in range(12)]
    end = now() + timedelta(seconds=1.5)
    for entry in keys:
        assert soap.set_termination_time(entry, end.isoformat()).status == 200

    def renew(number: int) -> bool:
        wait = (end - now()).total_seconds() + (number - 6) * 0.008
        time.sleep(max(0.0, wait))
        answer = soap.set_termination_time(keys[number], "2041-01-01T00:00:00Z")
        assert answer.status == 200 or answer.fault[0] == "ResourceUnknownFault"
        return answer.status == 200

    with ThreadPoolExecutor(len(keys)) as pool:
        renewed = list(pool.map(renew, range(len(keys))))
    alive = {entry.key for entry, granted in zip(keys, renewed, strict=True) if granted}
    for _ in range(6):
        content = soap.get_property(group, "sg:Entry").content.decode()
        assert {entry.key for entry in keys if entry.key in content} == alive
    refused = [entry for entry in keys if entry.key not in alive]
    for entry in refused:
        assert soap.destroy(entry).fault[0] == "ResourceUnknownFault"


def test_of_two_renewals_that_race_one_stands_for_all_readers(group: str) -> None:
    entry = soap.add(group, "http://127.0.0.1:1/raced")
    wishes = ("2041-01-01T00:00:00.000Z", "2042-02-02T00:00:00.000Z")
    barrier = threading.Barrier(2)

    def renew(wish: str) -> str | None:
        barrier.wait(10)
        answer = soap.set_termination_time(entry, wish)
        assert answer.status == 200, answer.content
        granted: str | None = answer.body.findtext(f"{{{NS['oasis']['rl']}}}NewTerminationTime")
        return granted

    with ThreadPoolExecutor(2) as pool:
        for _ in range(8):
            assert list(pool.map(renew, wishes)) == list(wishes)
            shown = {
                soap.get_property(entry.address, "rl:TerminationTime").body[0].text
                for _ in range(8)
            }
            assert len(shown) == 1
            assert shown <= set(wishes)


def ended(group: str, family: Family) -> EntryReference:
    """An entry whose time has come."""
    entry = soap.add(group, "http://127.0.0.1:1/over", family=family)
    soon = now() + timedelta(seconds=0.3)
    assert soap.set_termination_time(entry, soon.isoformat(), family=family).status == 200
    time.sleep(0.35)
    return entry


def refusals(group: str, entry: EntryReference, family: Family) -> Iterator[str]:
    """The faults of everything that can be asked of an entry, at each of its addresses."""
    spelling = SPELLINGS[family]
    requests = {
        "GetResourceProperty": "rl:CurrentTime",
        "GetMultipleResourceProperties": "<rp:ResourceProperty>sg:Content</rp:ResourceProperty>",
        "QueryResourceProperties": "<rp:QueryExpression>count(//*)</rp:QueryExpression>",
        "SetTerminationTime": "<rl:RequestedTerminationTime>2041-01-01T00:00:00Z"
        "</rl:RequestedTerminationTime>",
        "Destroy": "",
    }
    for operation, inside in requests.items():
        body = spelling.body(operation, inside)
        for url, header in ((entry.address, ""), (f"{group}Entry", entry.header)):
            yield soap.call(url, body, header=header).fault[0]
    for operation in ("SetTerminationTime", "Destroy"):
        body = spelling.body(operation, requests[operation])
        yield soap.call(group, body, header=entry.header).fault[0]


@pytest.fixture(scope="module", params=DATABASES)
def unswept(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """A service without a collector: nobody removes what has expired."""
    folder = tmp_path_factory.mktemp("unswept")
    with with_tables(request.param, folder) as url:
        options = ["--database", url, "--no-collector"]
        with running_service(folder, config=MANY_GROUPS, options=options) as running:
            yield running


@pytest.mark.parametrize("family", FAMILIES)
def test_an_expired_entry_that_nobody_has_removed_is_unknown(
    unswept: RunningService, family: Family
) -> None:
    group = unswept.next_group()
    entry = ended(group, family)
    assert set(refusals(group, entry, family)) == {"ResourceUnknownFault"}
    assert soap.entries(group) == []
    assert soap.query(group, "count(//*[local-name()='Entry'])").body.text == "0"


def metric(service: RunningService, name: str) -> float:
    """The sum of a metric's samples."""
    with urllib.request.urlopen(f"{service.url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


@pytest.mark.parametrize("family", FAMILIES)
def test_housekeeping_removes_what_has_expired_and_counts_it(
    served: RunningService, group: str, family: Family
) -> None:
    before = metric(served, "aggregator_expirations_total")
    lagging = metric(served, "aggregator_expiry_lag_seconds_count")
    entries = [ended(group, family) for _ in range(3)]
    until(
        lambda: metric(served, "aggregator_expirations_total") >= before + 3,
        what="three expirations",
    )
    assert metric(served, "aggregator_expiry_lag_seconds_count") > lagging
    for entry in entries:
        assert set(refusals(group, entry, family)) == {"ResourceUnknownFault"}


def test_many_entries_that_end_together_stall_nobody(served: RunningService, group: str) -> None:
    """They leave at their time; removing them makes no reader and no Add wait."""
    before = metric(served, "aggregator_expirations_total")
    end = now() + timedelta(seconds=10)
    bodies = [
        soap.add_body(f"http://127.0.0.1:1/{number}", soap.ASKED_ONCE, termination=end.isoformat())
        for number in range(300)
    ]
    with ThreadPoolExecutor(8) as pool:
        assert {answer.status for answer in pool.map(partial(soap.call, group), bodies)} == {200}
    assert len(soap.entries(group)) == 300
    other = served.next_group()
    time.sleep(max(0.0, (end + SAMPLED - now()).total_seconds()))
    slowest = 0.0
    while now() < end + timedelta(seconds=2):
        began = time.perf_counter()
        assert soap.entries(group) == []
        assert soap.add(other, "http://127.0.0.1:1/new").key
        slowest = max(slowest, time.perf_counter() - began)
    assert slowest < 2
    until(
        lambda: metric(served, "aggregator_expirations_total") >= before + 300, what="all removed"
    )
