"""Reports, REQUESTs and updates over HTTP, as nodes and clients see them, on both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from aggregator.client.event_stream import StreamEvent
from tests.chaos.victims import role_of
from tests.databases import DATABASES
from tests.report_kit import (
    ADMIN,
    GUI,
    LEDGER,
    SITE,
    Reporting,
    call,
    report,
    reporting,
    request,
    status,
    wait_up,
    watching,
)
from tests.waiting import until

OTHER = """
    from aggregator.reports import Aggregator

    class Other(Aggregator):
        def process_REPORT_Extra(self, msg):
            self.saveData(self.restoreData([]) + [msg.id])

        def process_GET_Extra(self, msg):
            return self.restoreData([])

        def doUpdates(self, now):
            saved = self.restoreData([])
            if saved and saved[-1] == "push":
                self.saveData(saved + ["pushed"])
                self.comm.sendToSinks("pushed", "Hint")
"""
OUTSIDE = """
    import os
    from aggregator.reports import Aggregator

    open(os.environ["LEDGER"] + ".outside", "w").close()

    class Outside(Aggregator):
        reporttype = "Load"
"""


@pytest.fixture(scope="module", params=DATABASES)
def found(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reporting]:
    folder = tmp_path_factory.mktemp("reports")
    with reporting(
        request.param,
        folder,
        names=("Ledger", "Other"),
        settings='update_interval = "200ms"\nmax_report = "64KiB"\nmax_rate = 20\n',
        ledger=LEDGER,
        other=OTHER,
        outside=OUTSIDE,
    ) as running:
        wait_up(running)
        wait_up(running, "Other")
        yield running


def test_one_singleton_is_made_when_the_controller_starts(found: Reporting) -> None:
    assert request(found.url, "Made").json == 1
    # Whichever web worker is asked.
    pids = {request(found.url, "Pid").body for _ in range(8)}
    collector = role_of(found.service, "collector")
    assert collector is not None
    mine = [one.pid for one in collector.children() if one.name() == "mds-aggregator"]
    assert len(mine) == 2
    assert len(pids) == 1
    assert int(pids.pop()) in mine


def test_process_report_is_called_when_data_is_received_from_a_node(found: Reporting) -> None:
    assert report(found.url, "node1", "r1", b"0.5").status == 201
    until(lambda: ("node1", "r1") in found.seen(), what="the report")


def test_a_report_that_comes_again_is_dropped_by_node_and_id(found: Reporting) -> None:
    assert report(found.url, "node2", "same").json == {"report": "taken"}
    again = report(found.url, "node2", "same")
    assert (again.status, again.json) == (200, {"report": "duplicate"})
    assert report(found.url, "node3", "same").status == 201
    until(lambda: ("node3", "same") in found.seen(), what="the other node's")
    assert found.seen().count(("node2", "same")) == 1
    # Known still, once it was processed.
    assert report(found.url, "node2", "same").status == 200


def test_process_request_returns_the_data_requested(found: Reporting) -> None:
    answer = request(found.url, "Seen")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["seen"] >= 0
    named = request(found.url, "Argument", "?name=a%20name")
    assert (named.body, named.headers["Content-Type"]) == (b"a name", "text/plain; charset=utf-8")


def test_process_request_that_returns_none_is_answered_204(found: Reporting) -> None:
    answer = request(found.url, "Nothing")
    assert (answer.status, answer.body) == (204, b"")


def test_a_request_without_its_argument_is_refused_by_name(found: Reporting) -> None:
    answer = request(found.url, "Argument")
    assert answer.status == 400
    assert answer.json == {"reason": "arguments", "message": "Ledger: the REQUEST needs name"}


def test_a_request_that_fails_shows_no_traceback(found: Reporting) -> None:
    answer = request(found.url, "Fails")
    assert answer.status == 502
    assert answer.json["message"] == "Ledger: ValueError: it can't be"
    assert "Traceback" in found.service.logs()


def test_a_request_that_nobody_answers_is_refused_with_those_there_are(found: Reporting) -> None:
    answer = request(found.url, "Unheard")
    assert answer.status == 404
    assert "there is Argument, Extra, Fails" in answer.json["message"]


def test_get_update_message_is_called_periodically_and_pushed(found: Reporting) -> None:
    with watching(found.url, query="?type=Count") as events:
        before = request(found.url, "Seen").json["seen"]
        report(found.url, "node4", "u1")
        event = next(events)
        said = json.loads(event.data)
        assert event.name == said["type"] == "Count"
        assert (said["aggregator"], said["encoding"]) == ("Ledger", "json")
        assert said["data"]["seen"] > before


def test_an_update_that_is_none_pushes_nothing(found: Reporting) -> None:
    report(found.url, "node5", "u2")
    with watching(found.url, after="0", query="?type=Count") as events:
        until(lambda: _shows_all(found, next(events)), what="the update of all that was seen")
    # Some intervals later nothing more was pushed.
    with watching(found.url, query="?type=Count", timeout=1.0) as events:  # noqa: SIM117
        with pytest.raises(TimeoutError):
            next(events)


def _shows_all(found: Reporting, event: StreamEvent) -> bool:
    seen: int = request(found.url, "Seen").json["seen"]
    return bool(json.loads(event.data)["data"]["seen"] == seen == len(found.seen()))


def test_who_comes_back_misses_nothing_that_is_kept(found: Reporting) -> None:
    with watching(found.url, query="?type=Count") as events:
        report(found.url, "node6", "w1")
        first = next(events)
    report(found.url, "node6", "w2")
    until(lambda: ("node6", "w2") in found.seen(), what="the report")
    with watching(found.url, after=first.id, query="?type=Count") as events:
        second = next(events)
    assert int(second.id) > int(first.id)
    assert json.loads(second.data)["data"]["seen"] > json.loads(first.data)["data"]["seen"]


def test_who_has_seen_more_than_there_is_is_told(found: Reporting) -> None:
    with watching(found.url, after="123456789") as events:
        event = next(events)
    assert event.name == "reset"
    assert json.loads(event.data)["after"] == 123456789


def test_the_later_hooks_take_reports_requests_and_updates_of_their_types(
    found: Reporting,
) -> None:
    with watching(found.url, query="?type=Hint") as events:
        assert report(found.url, "node7", "push", type="Extra").status == 201
        assert json.loads(next(events).data)["data"] == "pushed"
    assert "push" in request(found.url, "Extra").json


def test_a_file_outside_of_the_dependency_tree_is_not_started(found: Reporting) -> None:
    names = {one["aggregator"] for one in status(found.url)["aggregators"]}
    assert names == {"Ledger", "Other"}
    assert not found.ledger.with_suffix(".outside").exists()


def test_nobody_reports_asks_or_watches_without_the_right(found: Reporting) -> None:
    for path in ("/reports", "/reports/updates", "/reports/requests/Seen", "/reports/nodes/node1"):
        for secret in ("", "wrong-secret-0123456789", SITE[:-1]):
            refused = call(found.url, path, secret=secret)
            assert refused.status == 401, path
            assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert report(found.url, "other1", "r1").status == 403
    assert call(found.url, "/reports/requests/Seen", secret=SITE).status == 403
    assert call(found.url, "/reports/updates", secret=ADMIN).status == 403
    assert call(found.url, "/reports/nodes", secret=GUI).status == 403
    assert call(found.url, "/reports/nodes/node1/Load/x", secret=GUI, data=b"").status == 403
    # A scheme of another kind is no secret.
    basic = call(found.url, "/reports", secret="", headers={"Authorization": f"Basic {ADMIN}"})
    assert basic.status == 401


def test_what_is_no_report_is_refused(found: Reporting) -> None:
    assert report(found.url, "node1", "large", b"x" * 70_000).status == 413
    for path in ("node1/Lo%20ad/1", "node1/Load/%2e%2e%2f", "node1/Load/" + "x" * 101):
        answer = call(found.url, f"/reports/nodes/{path}", secret=SITE, data=b"")
        assert answer.status in (400, 403), path
    assert call(found.url, "/reports/nodes/node1/Load/1", secret=SITE).status == 405
    assert call(found.url, "/reports/nodes/node1/Load/1", secret=SITE, method="PUT").status == 405
    assert call(found.url, "/reports/requests/Seen?a=1&a=2", secret=GUI).status == 400
    assert call(found.url, "/reports/nowhere", secret=ADMIN).status == 404
    assert call(found.url, "/reports/updates?after=x", secret=GUI).status == 400


def test_a_node_that_has_nothing_to_say_is_heard(found: Reporting) -> None:
    assert call(found.url, "/reports/nodes/node1", secret=SITE).status == 204


def test_a_node_that_reports_too_fast_is_told_when_to_come_again(found: Reporting) -> None:
    answers = [report(found.url, "node8", str(number)) for number in range(203)]
    refused = [one for one in answers if one.status == 429]
    assert refused
    assert refused[0].json["reason"] == "rate"
    assert 1 <= int(refused[0].headers["Retry-After"]) <= 11
    assert report(found.url, "node9", "1").status == 201


def test_what_is_measured_is_shown(found: Reporting) -> None:
    shown = call(found.url, "/metrics", secret="").body.decode()
    for line in (
        'aggregator_reports_received_total{outcome="taken"}',
        'aggregator_reports_received_total{outcome="rate"}',
        'aggregator_reports_processed_total{aggregator="Ledger",outcome="done"}',
        'aggregator_report_requests_total{outcome="answered"}',
        'aggregator_report_updates_total{aggregator="Ledger"}',
        "aggregator_reports_denied_total",
        "aggregator_report_watchers",
        "aggregator_reports_waiting",
        "aggregator_reports_put_aside",
    ):
        assert line in shown
