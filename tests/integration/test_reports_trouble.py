"""Aggregators that hang, die, raise and say too much, and reports that are dead; both databases."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import psutil
import pytest

from tests.chaos.victims import role_of
from tests.databases import DATABASES
from tests.report_kit import (
    ADMIN,
    LEDGER,
    Reporting,
    call,
    report,
    reporting,
    request,
    status,
    wait_up,
)
from tests.waiting import until

#: Takes reports of a type of its own, in each of which it is told how to fail.
TROUBLED = """
    import logging, os, subprocess, time
    from aggregator.reports import Aggregator

    class Troubled(Aggregator):
        reporttype = "Trouble"
        requesttypes = "OwnPid", "Large", "Strange", "Odd"
        tries = {}

        def processReport(self, msg):
            with open(os.environ["LEDGER"] + ".trouble", "a") as tried:
                tried.write(msg.id + "\\n")
            what = msg.data.decode()
            if what == "hang":
                subprocess.Popen(["sleep", "600"])
                time.sleep(600)
            if what == "die":
                os._exit(3)
            if what == "raise":
                raise ValueError("no <such> thing")
            if what == "strange":
                self.comm.sendToSinks("x", "a\\0b\\ud800")
                raise ValueError("a\\0b\\ud800c")
            if what == "exit":
                raise SystemExit(1)
            if what == "chatter":
                for number in range(100_000):
                    logging.warning("line %d", number)

        def processREQUEST(self, msg):
            if msg.type == "OwnPid":
                return str(os.getpid())
            if msg.type == "Odd":
                raise ValueError("a\\0b\\ud800c")
            if msg.type == "Large":
                return b"x" * 2_000_000
            return object()
"""
BROKEN = """
    from aggregator.reports import Aggregator

    raise RuntimeError("this module is broken")

    class Broken(Aggregator):
        pass
"""
SETTINGS = """call_timeout = "1s"
max_tries = 2
update_interval = "500ms"
max_answer = "1MiB"
max_waiting = 50
"""


@pytest.fixture(scope="module", params=DATABASES)
def found(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reporting]:
    with reporting(
        request.param,
        tmp_path_factory.mktemp("trouble"),
        names=("Ledger", "Troubled", "Broken"),
        settings=SETTINGS,
        ledger=LEDGER,
        troubled=TROUBLED,
        broken=BROKEN,
    ) as running:
        wait_up(running)
        wait_up(running, "Troubled")
        yield running


def pid(found: Reporting) -> int:
    """The process of the troubled one, once it answers."""
    return int(until(lambda: _pid(found), what="the aggregator's process"))


def _pid(found: Reporting) -> bytes:
    answer = request(found.url, "OwnPid")
    return answer.body if answer.status == 200 else b""


def tries(found: Reporting, id: str) -> int:
    """How often a report was tried."""
    return found.ledger.with_suffix(".trouble").read_text().split("\n").count(id)


def is_dead(found: Reporting, id: str) -> bool:
    return id in {one["id"] for one in status(found.url, "dead")["dead"]}


@pytest.mark.parametrize("how", ["hang", "die", "raise", "exit", "strange"])
def test_a_report_whose_processing_fails_is_dead_after_some_tries(
    found: Reporting, how: str
) -> None:
    assert report(found.url, "node1", f"bad-{how}", how.encode(), type="Trouble").status == 201
    assert report(found.url, "node1", f"good-{how}", b"", type="Trouble").status == 201
    # Others wait no longer than a call may take.
    assert report(found.url, "node2", f"beside-{how}").status == 201
    until(lambda: ("node2", f"beside-{how}") in found.seen(), what="a report to another one")
    until(lambda: tries(found, f"good-{how}"), what="the one after it")
    until(lambda: is_dead(found, f"bad-{how}"), what="the dead report")
    assert tries(found, f"bad-{how}") == 2
    [dead] = [one for one in status(found.url, "dead")["dead"] if one["id"] == f"bad-{how}"]
    assert (dead["node"], dead["type"], dead["tries"]) == ("node1", "Trouble", 2)
    assert {
        "hang": "took longer than 1 s",
        "die": "its process ended",
        "raise": "ValueError: no <such> thing",
        "exit": "SystemExit: 1",
        # What no database, or no encoding, has a character for.
        "strange": "ValueError: a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c",
    }[how] in dead["error"]


def test_what_a_hanging_call_started_is_ended_with_it(found: Reporting) -> None:
    before = pid(found)
    report(found.url, "node3", "sleeper", b"hang", type="Trouble")
    sleeper = until(
        lambda: [one for one in psutil.Process(before).children() if "sleep" in one.name()],
        what="what it starts",
    )[0]
    until(lambda: not psutil.pid_exists(sleeper.pid), what="the end of it")
    assert pid(found) != before


def test_a_dead_report_may_be_tried_again(found: Reporting) -> None:
    report(found.url, "node4", "again", b"raise", type="Trouble")
    until(lambda: is_dead(found, "again"), what="the dead report")
    [dead] = [one for one in status(found.url, "dead")["dead"] if one["id"] == "again"]
    path = f"/reports/dead/{dead['number']}"
    assert call(found.url, path, secret=ADMIN, data=b"").json == {"report": "tried again"}
    until(lambda: tries(found, "again") == 4, what="two more tries")
    until(lambda: is_dead(found, "again"), what="the dead report")
    assert call(found.url, "/reports/dead/123456", secret=ADMIN, data=b"").status == 404
    # It is known still: who sends it again is told so.
    assert report(found.url, "node4", "again", type="Trouble").status == 200


def test_an_aggregator_that_is_killed_is_made_anew(found: Reporting) -> None:
    before = pid(found)
    os.kill(before, signal.SIGKILL)
    assert pid(found) != before
    until(lambda: report(found.url, "node5", "after", type="Trouble").status == 200 or None)
    until(lambda: tries(found, "after"), what="a report to the new one")


def test_an_answer_that_is_too_large_or_no_data_costs_that_request_alone(
    found: Reporting,
) -> None:
    before = pid(found)
    large, strange = request(found.url, "Large"), request(found.url, "Strange")
    assert (large.status, large.json["reason"]) == (502, "large")
    assert strange.status == 502
    assert "returned a object, which can't be sent" in strange.json["message"]
    odd = request(found.url, "Odd")
    assert (odd.status, odd.json["message"][:22]) == (502, "Troubled: ValueError: ")
    assert pid(found) == before


def test_a_module_that_logs_without_end_keeps_nobody_waiting(found: Reporting) -> None:
    report(found.url, "node6", "chatter", b"chatter", type="Trouble")
    report(found.url, "node6", "beside-chatter")
    until(lambda: ("node6", "beside-chatter") in found.seen(), what="a report to another one")
    until(lambda: "logs more than 200 lines in a call" in found.service.logs(), what="the note")
    assert found.service.logs().count("Troubled: line") < 2000


def test_a_module_that_can_not_be_imported_is_shown_and_stops_no_other(found: Reporting) -> None:
    [broken] = [one for one in status(found.url)["aggregators"] if one["aggregator"] == "Broken"]
    assert broken["state"] == "failed"
    assert broken["error"] == "RuntimeError: this module is broken"
    # What nobody takes waits meanwhile: it may be the broken one's.
    assert report(found.url, "node7", "whose", type="Whose").status == 201
    until(lambda: ("node7", "then") in found.seen() or report(found.url, "node7", "then"))
    [node] = [one for one in status(found.url, "nodes")["nodes"] if one["node"] == "node7"]
    assert node["waiting"] >= 1


def test_a_node_may_not_fill_the_inbox(found: Reporting) -> None:
    answers = [report(found.url, "node8", str(n), type="Whose") for n in range(51)]
    assert [one.status for one in answers[:50]] == [201] * 50
    assert (answers[50].status, answers[50].json["reason"]) == (429, "full")
    assert report(found.url, "node9", "1", type="Whose").status == 201


def _two(collector: psutil.Process) -> list[int]:
    """The processes of both aggregators, while none of them is being made anew."""
    found = [one.pid for one in collector.children() if one.name() == "mds-aggregator"]
    return found if len(found) == 2 else []


def test_the_aggregators_end_with_the_collector_however_it_ends(found: Reporting) -> None:
    collector = until(lambda: role_of(found.service, "collector"), what="the collector")
    mine = until(lambda: _two(collector), what="both")
    collector.send_signal(signal.SIGKILL)
    until(lambda: not any(map(psutil.pid_exists, mine)), what="the end of its aggregators")
    wait_up(found)
    assert pid(found) not in mine


def test_reports_that_waited_over_a_kill_are_all_processed_though_a_module_never_starts(
    found: Reporting,
) -> None:
    collector = until(lambda: role_of(found.service, "collector"), what="the collector")
    collector.send_signal(signal.SIGKILL)
    wanted = {("node10", str(number)) for number in range(20)}
    for node, id in wanted:
        assert report(found.url, node, id).status == 201
    until(lambda: wanted <= set(found.seen()), what="the reports that waited")
    assert status(found.url)["waiting"] >= 1
