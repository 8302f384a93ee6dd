"""RegistrationCount: every Add counts, all processes tell one truth, rates decay by the rule."""

from __future__ import annotations

import math
import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from tests import soap
from tests.integration.processes import workers
from tests.integration.spellings import SPELLINGS
from tests.service import running_service, start_service, wait_until_ready
from tests.soap import NS, Family
from tests.waiting import until

pytestmark = pytest.mark.long

METRICS = "http://mds.globus.org/metrics/2004/09"
DECAYS = (60, 3600, 86400)
ADD = soap.add_body("http://127.0.0.1:1/m")
REFUSED = soap.add_body("http://127.0.0.1:1/m", "")
BOTH = "".join(
    f"<rp:ResourceProperty>{name}</rp:ResourceProperty>"
    for name in ("agg:RegistrationCount", "rl:CurrentTime")
)


@dataclass(frozen=True, slots=True)
class Count:
    """A RegistrationCount and the service's clock in the same reply."""

    start: datetime
    changed: datetime
    total: int
    rates: tuple[float, ...]
    now: datetime


def count(group: str, family: Family = "oasis") -> Count:
    body = SPELLINGS[family].body("GetMultipleResourceProperties", BOTH)
    found, now = soap.call(group, body).body
    assert [rate.findtext(f"{{{METRICS}}}decay") for rate in found[3:]] == [
        str(decay) for decay in DECAYS
    ]
    assert now.tag == f"{{{NS[family]['rl']}}}CurrentTime"
    return Count(
        start=datetime.fromisoformat(found.findtext(f"{{{METRICS}}}startTime")),
        changed=datetime.fromisoformat(found.findtext(f"{{{METRICS}}}lastChange")),
        total=int(found.findtext(f"{{{METRICS}}}total")),
        rates=tuple(float(rate.findtext(f"{{{METRICS}}}rate")) for rate in found[3:]),
        now=datetime.fromisoformat(now.text),
    )


def now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.parametrize("family", ["gt4", "oasis"])
def test_accepted_adds_count_at_once_and_refused_ones_within_a_second(
    group: str, family: Family
) -> None:
    before = count(group, family)
    assert before.total == 0
    assert before.changed == before.start
    assert before.rates == (0.0, 0.0, 0.0)
    began = now()
    for number in range(3):
        soap.add(group, "http://127.0.0.1:1/m", family=family)
        assert count(group, family).total == number + 1
    refusals = (
        soap.add_body("http://127.0.0.1:1/m", "", family=family),
        soap.add_body("http://127.0.0.1:1/m", soap.execution_config("no-such"), family=family),
        soap.add_body(group, family=family),
        soap.add_body("http://127.0.0.1:1/m", family=family, termination="soon"),
        SPELLINGS[family].body("Add"),
    )
    for body in refusals:
        assert soap.call(group, body).fault[0] == "AddRefusedFault"
    until(lambda: count(group, family).total == 8, within=1, what="five refusals counted")
    after = count(group, family)
    slack = timedelta(milliseconds=20)
    assert began - slack <= after.changed <= now() + slack
    assert after.start == before.start
    assert len(soap.entries(group)) == 3


def test_nothing_but_an_add_counts(group: str) -> None:
    entry = soap.add(group, "http://127.0.0.1:1/m")
    before = count(group)
    soap.set_termination_time(entry, "2041-01-01T00:00:00Z")
    soap.query(group, "count(//*)")
    soap.entries(group)
    soap.post(group, b"<Add/>")
    soap.call(entry.address, ADD)
    soap.destroy(entry)
    time.sleep(1)
    after = count(group)
    assert (after.total, after.changed) == (before.total, before.changed) == (1, before.changed)


def test_the_evaluator_tells_the_same(group: str) -> None:
    for _ in range(3):
        soap.add(group, "http://127.0.0.1:1/m")
    total = "number(//*[local-name()='RegistrationCount']/*[local-name()='total'])"
    assert soap.query(group, total).body.text == "3"
    assert soap.query(group, total, family="gt4").body.text == "3"
    start = soap.query(group, "string(//*[local-name()='startTime'])").body.text
    assert datetime.fromisoformat(start) == count(group).start


def test_rates_rise_and_decay_by_the_rule(group: str) -> None:
    """Each event adds 1 - exp(-1/decay), and all of it fades by exp(-dt/decay)."""
    added = []
    for _ in range(4):
        began = now()
        soap.add(group, "http://127.0.0.1:1/m")
        added.append((began, now()))
        time.sleep(0.4)
    for pause in (0.0, 1.5):
        time.sleep(pause)
        found = count(group)
        for rate, decay in zip(found.rates, DECAYS, strict=True):
            # Each event happened between the request and its answer; a clock is known to 20 ms.
            least, most = (
                sum(
                    (1 - math.exp(-1 / decay))
                    * math.exp(-((found.now - moment[side]).total_seconds() - slack) / decay)
                    for moment in added
                )
                for side, slack in ((0, -0.02), (1, 0.02))
            )
            assert least <= rate <= most, (decay, least, rate, most)
            assert most - least < 0.05 * rate


def send(group: str, bodies: list[str]) -> None:
    """Send Adds over many connections at once, so that both workers take of them."""
    with ThreadPoolExecutor(8) as pool:
        assert {a.status for a in pool.map(partial(soap.call, group), bodies)} <= {200, 500}


def totals(group: str) -> set[int]:
    """The total as many readers see it at once, some in each worker."""
    with ThreadPoolExecutor(8) as pool:
        return {found.total for found in pool.map(count, [group] * 24)}


def test_it_is_one_truth_over_workers_crashes_and_reloads_and_begins_anew_with_the_service(
    tmp_path: Path, database_url: str
) -> None:
    options = ["--database", database_url, "--workers", "2"]
    service = start_service(tmp_path, options=options)
    try:
        group = service.group
        until(lambda: len(workers(service)) == 2, what="two workers")
        # Or the one that is killed may be the only process that is up: another start.
        until(lambda: "collecting" in service.logs(), what="the collector")
        began = count(group).start
        send(group, [ADD, REFUSED] * 20)
        until(lambda: totals(group) == {40}, within=1, what="forty, for all readers")
        killed = workers(service)[0]
        killed.kill()
        until(
            lambda: len(workers(service)) == 2 and killed not in workers(service),
            what="another worker",
        )
        wait_until_ready(service)
        assert totals(group) == {40}
        send(group, [ADD] * 10)
        assert totals(group) == {50}
        assert {count(group).start for _ in range(10)} == {began}
        old = {worker.pid for worker in workers(service)}
        service.process.send_signal(signal.SIGHUP)
        until(
            lambda: len(workers(service)) == 2 and not old & {w.pid for w in workers(service)},
            what="new workers",
        )
        send(group, [ADD] * 10)
        assert totals(group) == {60}
        assert count(group).start == began
        assert service.stop() == 0
        entries = 40
        with running_service(tmp_path, options=options) as again:
            found = count(again.group)
            assert found.total == 0
            assert found.rates == (0.0, 0.0, 0.0)
            assert found.start > began
            assert found.changed == found.start
            assert len(soap.entries(again.group)) == entries
            soap.add(again.group, "http://127.0.0.1:1/m")
            assert totals(again.group) == {1}
    finally:
        if service.process.poll() is None:
            service.kill()


def test_it_is_one_truth_over_hosts_that_share_a_database(
    tmp_path: Path, database_url: str
) -> None:
    """A host that joins, or leaves, neither begins the count anew nor takes of it."""
    options = ["--database", database_url]
    joining = [*options, "--no-collector"]
    with running_service(tmp_path / "one", options=options) as one:
        send(one.group, [ADD] * 5)
        began = count(one.group).start
        with running_service(tmp_path / "two", options=joining) as two:
            send(two.group, [ADD, REFUSED] * 3)
            until(lambda: totals(one.group) == totals(two.group) == {11}, what="one truth")
            assert count(two.group).start == began
            assert two.stop() == 0
        assert totals(one.group) == {11}
        with running_service(tmp_path / "two", options=joining) as two:
            two.kill()
        send(one.group, [ADD])
        assert totals(one.group) == {12}
        assert count(one.group).start == began


def test_a_collector_that_reads_its_settings_anew_is_no_new_start(tmp_path: Path) -> None:
    """Alone it is all that runs of the service, in both its lives."""
    service = start_service(tmp_path, options=["--no-web"])

    def rows(question: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(tmp_path / "aggregator.db")) as connection:
            return connection.execute(question).fetchall()

    try:
        assert until(lambda: service.logs().count("collecting") == 1)
        began = rows("select started from service")
        [(first,)] = rows("select process from processes where role = 'collector'")
        service.process.send_signal(signal.SIGHUP)
        assert until(lambda: service.logs().count("collecting") == 2)
        assert rows("select started from service") == began
        [(second,)] = rows("select process from processes where role = 'collector'")
        assert first != second
    finally:
        assert service.stop() == 0
