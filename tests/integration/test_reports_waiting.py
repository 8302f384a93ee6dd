"""What waits for an aggregator: REQUESTs at its start and past their time, reports while it is
down; both databases."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from tests.chaos.victims import role_of
from tests.databases import DATABASES
from tests.report_kit import (
    Reporting,
    process_of,
    report,
    reporting,
    request,
    status,
    wait_up,
)
from tests.waiting import until

SLOW = """
    import os, time
    from aggregator.reports import Aggregator

    class Ledger(Aggregator):
        reporttype = "Load"
        requesttypes = "Slow", "Pid"

        def processReport(self, msg):
            with open(os.environ["LEDGER"], "a") as ledger:
                ledger.write(f"{msg.node} {msg.id} -\\n")

        def processREQUEST(self, msg):
            if msg.type == "Slow":
                time.sleep(0.5)
            return str(os.getpid())
"""
LATE = """
    import time
    from aggregator.reports import Aggregator

    class Late(Aggregator):
        requesttypes = ("WhatIsLate",)

        def __init__(self):
            time.sleep(1.5)

        def processREQUEST(self, msg):
            return "late"
"""
#: One try: a report that is charged one for nothing is dead.
SETTINGS = 'request_timeout = "4s"\nmax_tries = 1\n'
STORM = 60


@pytest.fixture(scope="module", params=DATABASES)
def found(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reporting]:
    folder = tmp_path_factory.mktemp("waiting")
    names = ("Ledger", "Late")
    with reporting(
        request.param, folder, names=names, settings=SETTINGS, ledger=SLOW, late=LATE
    ) as running:
        wait_up(running)
        yield running


def test_a_request_is_not_refused_while_what_answers_it_is_being_started(
    found: Reporting,
) -> None:
    # At the door, which knows what the first one answers already.
    until(lambda: process_of(found.url), what="the first one's answer")
    assert request(found.url, "WhatIsLate").body == b"late"
    assert request(found.url, "Nobody").status == 404
    # At the collector, to which the door lets it through by what was known before.
    collector = until(lambda: role_of(found.service, "collector"), what="the collector")
    collector.send_signal(signal.SIGKILL)
    answers = [request(found.url, "WhatIsLate")]
    while answers[-1].status == 504 and len(answers) < 5:
        answers.append(request(found.url, "WhatIsLate"))
    assert [one.status for one in answers if one.status != 504] == [200]


def test_requests_past_their_time_keep_no_reports_waiting(found: Reporting) -> None:
    until(lambda: process_of(found.url), what="the aggregator")
    began = time.monotonic()
    with ThreadPoolExecutor(STORM) as clients:
        storm = [clients.submit(request, found.url, "Slow") for _ in range(STORM)]
        statuses = [one.result().status for one in storm]
    # By turns half of a second long, most have no turn.
    assert set(statuses) <= {200, 504}
    assert statuses.count(504) > STORM / 2
    # All in time, as far as this host has any.
    assert time.monotonic() - began < 10
    assert report(found.url, "node1", "after").status == 201
    # What was asked for would take 30 s.
    until(lambda: ("node1", "after") in found.seen(), what="a report", within=10)


def test_a_report_that_was_not_handed_over_is_charged_no_try(found: Reporting) -> None:
    before = until(lambda: process_of(found.url), what="the aggregator")
    os.kill(int(before), signal.SIGKILL)
    until(lambda: _has_ended(int(before)), what="its end")
    assert report(found.url, "node2", "down").status == 201
    until(lambda: ("node2", "down") in found.seen(), what="the report")
    assert status(found.url)["dead"] == 0
    assert process_of(found.url) != before


def _has_ended(process: int) -> bool:
    try:
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
