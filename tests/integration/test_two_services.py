"""Two whole services on one database: one reading of the truth, one collector, no quarrel."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from lxml import etree

from aggregator.store.groups import declare_groups
from tests import databases, soap
from tests.integration.evaluator_kit import CONFIG, MEMBER
from tests.integration.pair_of_services import NAMES, Pair, members, pair, pollers, polls
from tests.integration.test_durability import keys
from tests.integration.test_serve import role
from tests.integration.test_store_order import SOON, commits_held
from tests.misbehaving import MisbehavingServer, misbehaving
from tests.soap import AGG, EntryReference
from tests.stores import added, opened
from tests.waiting import until

pytestmark = [pytest.mark.postgresql, pytest.mark.long]
#: Seconds in which one collector takes over from another that is gone.
TAKEOVER = 10
WIDGET = "{http://widgets.com}foo"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    with databases.postgresql_schema() as url, pair(folder, url) as running:
        yield running


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with misbehaving() as running:
        yield running


def termination(entry: EntryReference) -> str:
    return soap.get_property(entry.address, "rl:TerminationTime", header=entry.header).body[0].text


def test_a_reader_sees_at_once_what_the_other_service_acknowledged(both: Pair) -> None:
    for number in range(30):
        writes, reads = NAMES[number % 2], NAMES[1 - number % 2]
        entry = soap.add(both.group(0, writes), f"http://10.0.0.1/{number}")
        assert entry.key in keys(both.group(0, reads))
        time_text = f"2035-01-01T00:00:{number:02}.000Z"
        assert soap.set_termination_time(entry, time_text).status == 200
        there = both.seen_by(reads, entry)
        assert termination(there) == time_text
        found = soap.query(both.group(0, reads), "count(//*[local-name()='Entry'])")
        assert "".join(found.body.itertext()) == "1"
        assert soap.destroy(there).status == 200
        assert keys(both.group(0, writes)) == set()
        answer = soap.get_property(entry.address, "rl:TerminationTime", header=entry.header)
        assert answer.fault[0] == "ResourceUnknownFault"


def test_writes_to_several_groups_from_both_go_through(both: Pair) -> None:
    groups = (1, 2, 3, 4)

    def write(number: int) -> None:
        random = Random(number)
        for turn in range(20):
            group = random.choice(groups)
            address = f"http://127.0.0.1:1/{number}/{turn}"
            entry = soap.add(both.group(group, random.choice(NAMES)), address, soap.ASKED_ONCE)
            there = both.seen_by(random.choice(NAMES), entry)
            assert soap.set_termination_time(there, "2036-01-01T00:00:00Z").status == 200

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(write, range(16)))
    seen = [[keys(both.group(group, name)) for group in groups] for name in NAMES]
    assert seen[0] == seen[1]
    assert sum(map(len, seen[0])) == 16 * 20
    for line in ("deadlock", "Trying a transaction again", "Traceback"):
        assert line not in both.logs()


def test_no_reader_misses_what_was_held_open_while_others_were_written(
    both: Pair, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A third host draws its sequence first and commits last."""
    # Its server would end a transaction that is held open for longer.
    slow = opened(both.database_url, tmp_path_factory.mktemp("slow"), write_timeout=60)
    number = declare_groups(slow, ["Group5", "Group6"])["Group5"]
    shape = {"group": "Group5", "member": MEMBER, "config": CONFIG, "dialect": "gt4"}
    acknowledged: list[str] = []
    try:
        with ThreadPoolExecutor(2) as pool, commits_held(slow) as drawn:
            held = pool.submit(added, slow, group_id=number, **shape)
            assert drawn.wait(SOON)
            behind = pool.submit(soap.add, both.group(5, "first"), "http://10.0.0.1/behind")
            # Not by the worker that waits: it commits what it is given in turn.
            acknowledged.append(soap.add(both.group(6, "second"), "http://10.0.0.1/beside").key)
            for name in NAMES:
                assert keys(both.group(5, name)) == set()
                assert keys(both.group(6, name)) == set(acknowledged)
            assert not behind.done()
    finally:
        slow.close()
    for name in NAMES:
        assert keys(both.group(5, name)) == {held.result().key, behind.result().key}


def test_each_member_is_polled_once_an_interval(both: Pair, server: MisbehavingServer) -> None:
    with members(both, server, 7, 20) as paths:
        until(lambda: set(server.journal.paths()) == paths, what="the first polls")
        began = time.monotonic() + 1
        time.sleep(6)
        counted = polls(server, began, began + 5)
        assert set(counted) == paths
        # Twice as many would be those of both; a busy machine may cost one or the other.
        assert max(counted.values()) <= 6
        assert sum(counted.values()) <= 5 * len(paths) * 1.2
        assert len(pollers(server, began, began + 5)) == 1


class Values:
    """What both services publish for the members of a group: it may grow, and never falls."""

    def __init__(self, both: Pair, group: int) -> None:
        self.newest: dict[tuple[str, str], int] = {}
        self.wrong: list[str] = []
        self._addresses = {name: both.group(group, name) for name in NAMES}

    def look(self) -> None:
        """Read the group once from each."""
        for name, address in self._addresses.items():
            for entry in soap.entries(address):
                value = entry.findtext(f".//{{{AGG}}}AggregatorData/{WIDGET}")
                if value is not None:
                    self._judge((name, _member(entry)), int(value))

    def _judge(self, whose: tuple[str, str], value: int) -> None:
        before = self.newest.get(whose, -1)
        if value < before:
            self.wrong.append(f"{whose}: {value} after {before}")
        self.newest[whose] = value


def _member(entry: etree._Element) -> str:
    return next(e.text or "" for e in entry.iter("{*}Address") if "/number/" in (e.text or ""))


@pytest.mark.timeout(240)
def test_a_collector_that_is_stopped_for_half_a_minute_overwrites_nothing_newer(
    both: Pair, server: MisbehavingServer
) -> None:
    with members(both, server, 8, 20) as paths:
        until(lambda: set(server.journal.paths()) == paths, what="the first polls")
        (holder,) = pollers(server, 0, time.monotonic())
        (other,) = set(NAMES) - {holder}
        collector = until(lambda: role(both.running[holder], "collector"), what="the collector")
        values = Values(both, 8)
        ends = threading.Event()

        def look() -> None:
            while not ends.wait(0.1):
                values.look()

        with ThreadPoolExecutor(1) as pool:
            looking = pool.submit(look)
            try:
                collector.send_signal(signal.SIGSTOP)
                stopped = time.monotonic()
                until(
                    lambda: other in pollers(server, stopped, time.monotonic()),
                    # Stopped in the middle of a transaction, it has the server end that first.
                    within=28,
                    what="a takeover",
                )
                time.sleep(max(0.0, stopped + 30 - time.monotonic()))
                before = dict(values.newest)
                collector.send_signal(signal.SIGCONT)
                woken = time.monotonic()
                until(lambda: "is lost" in both.running[holder].logs(), what="that it is noticed")
                time.sleep(5)
            finally:
                collector.send_signal(signal.SIGCONT)
                ends.set()
            looking.result(30)
        assert values.wrong == []
        assert len(before) == 2 * len(paths)
        assert all(values.newest[whose] > value for whose, value in before.items())
        assert pollers(server, woken, time.monotonic()) == {other}


def test_the_second_takes_over_when_the_first_is_killed(
    both: Pair, server: MisbehavingServer
) -> None:
    with members(both, server, 9, 20) as paths:
        until(lambda: set(server.journal.paths()) == paths, what="the first polls")
        (holder,) = pollers(server, 0, time.monotonic())
        (other,) = set(NAMES) - {holder}
        both.running[holder].kill()
        killed = time.monotonic()
        until(
            lambda: set(polls(server, killed + 0.5, time.monotonic())) == paths,
            within=TAKEOVER,
            what="a poll of each member",
        )
        assert keys(both.group(9, other)), "it is read as before"
        both.start(holder)
        began = time.monotonic()
        time.sleep(max(0.0, began + 5 - time.monotonic()))
        assert pollers(server, began, began + 5) == {other}
        assert max(polls(server, began, began + 5).values()) <= 6
