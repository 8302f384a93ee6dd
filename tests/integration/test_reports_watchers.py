"""Watchers: many at a time without a thread each, slow ones, ones that come back, and the end."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from aggregator.client.event_stream import events_of
from tests.databases import DATABASES
from tests.integration.processes import workers
from tests.report_kit import GUI, Reporting, call, report, reporting, request, wait_up, watching
from tests.waiting import until

WATCHERS = 60
#: Pushes as many bytes as a report says.
PUSHING = """
    from aggregator.reports import Aggregator

    class Ledger(Aggregator):
        reporttype = "Load"
        requesttypes = "Seen",
        seen = 0

        def processReport(self, msg):
            self.seen += 1
            self.comm.sendToSinks(msg.id + ":" + "x" * int(msg.data), "Large")

        def processREQUEST(self, msg):
            return self.seen
"""
MORE = "[server]\nworkers = 1\nthreads = 4\nreply_timeout = 2.0\n"
SETTINGS = f'max_watchers = {WATCHERS}\nupdates_kept = 20\nmax_rate = 100\nupdates_size = "32MiB"\n'


@pytest.fixture(scope="module", params=DATABASES)
def found(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reporting]:
    folder = tmp_path_factory.mktemp("watchers")
    with reporting(request.param, folder, settings=SETTINGS, more=MORE, pushing=PUSHING) as running:
        wait_up(running)
        yield running


def push(found: Reporting, id: str, size: int = 10) -> None:
    assert report(found.url, "node1", id, b"%d" % size).status == 201


def threads(found: Reporting) -> int:
    return sum(one.num_threads() for one in workers(found.service))


def watched(
    found: Reporting, path: str = "/reports/updates", version: str = "1.1"
) -> socket.socket:
    """A connection on which a watcher has asked, and has taken nothing yet."""
    parts = urlsplit(found.url)
    raw = socket.create_connection((parts.hostname, parts.port), timeout=20)
    raw.sendall(
        f"GET {path} HTTP/{version}\r\nHost: x\r\nAuthorization: Bearer {GUI}\r\n\r\n".encode()
    )
    return raw


def test_many_watchers_cost_no_thread_and_each_is_told(found: Reporting) -> None:
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(watching(found.url)) for _ in range(WATCHERS)]
        before = threads(found)
        refused = call(found.url, "/reports/updates", secret=GUI)
        assert (refused.status, refused.json["reason"]) == (503, "watchers")
        push(found, "m1")
        for events in streams:
            assert any('"m1:' in one.data for one in events)
        # A pool of four, the store's writer, one that looks for updates and the like.
        assert threads(found) <= before + 1 < WATCHERS / 2
        began = time.monotonic()
        assert request(found.url, "Seen").status == 200
        assert time.monotonic() - began < 5
    until(lambda: _may_watch(found), what="room for others, once they have left", within=10)


def _may_watch(found: Reporting) -> bool:
    try:
        with watching(found.url):
            return True
    except AssertionError:
        return False


def test_a_watcher_that_takes_nothing_is_let_go_and_keeps_no_other_waiting(
    found: Reporting,
) -> None:
    with watched(found) as slow, watching(found.url) as events:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for number in range(8):
            push(found, f"s{number}", 2_000_000)
        told = [json.loads(next(events).data)["data"].partition(":")[0] for _ in range(8)]
        assert told == [f"s{number}" for number in range(8)]
        until(lambda: _ended_late(found), what="the end of the slow one")
        with pytest.raises(OSError, match=r"reset|Broken|closed"):  # noqa: PT012
            while slow.recv(65536):
                pass
            raise ConnectionResetError("closed")


def _ended_late(found: Reporting) -> bool:
    shown = call(found.url, "/metrics", secret="").body.decode()
    lines = [line for line in shown.splitlines() if 'limit="reply"' in line]
    return any(not line.endswith(" 0.0") for line in lines)


def test_what_is_kept_no_more_is_told_as_missed(found: Reporting) -> None:
    with watching(found.url, after="0") as events:
        first = next(events)
    until(lambda: _first(found).name == "missed" or push_some(found), what="old ones gone")
    event = _first(found)
    said = json.loads(event.data)
    assert said["from"] == 1
    with watching(found.url, after="0") as events:
        missed, following = next(events), next(events)
    assert int(following.id) == int(missed.id) + 1 == json.loads(missed.data)["to"] + 1
    assert int(following.id) > int(first.id)


def _first(found: Reporting) -> object:
    with watching(found.url, after="0") as events:
        return next(events)


def push_some(found: Reporting) -> bool:
    """Push more than are kept."""
    mark = time.monotonic_ns()
    for number in range(5):
        push(found, f"p{mark}-{number}")
    return False


def test_a_client_of_http_1_0_is_told_too(found: Reporting) -> None:
    with watched(found, "/reports/updates?after=0&type=Large", "1.0") as raw:
        text = b""
        while b"event: Large" not in text:
            piece = raw.recv(65536)
            assert piece, text
            text += piece
        head = text.partition(b"\r\n\r\n")[0].lower()
        assert b"text/event-stream" in head
        assert b"chunked" not in head


def test_a_quiet_watcher_that_comes_back_misses_nothing(found: Reporting) -> None:
    parts = urlsplit(found.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 0, timeout=30)
    with contextlib.closing(connection):
        headers = {"Authorization": f"Bearer {GUI}"}
        connection.request("GET", "/reports/updates?type=Large", headers=headers)
        first = connection.getresponse().read1(65536)
    ids: list[str] = []
    assert not [*events_of([first], limit=1000, on_id=ids.append)]
    [before] = ids
    push(found, "unseen")
    with watching(found.url, after=before) as events:
        # What others pushed before it may come first.
        assert any("unseen:" in event.data for event in events)


def test_the_service_stops_in_time_with_watchers(found: Reporting, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(watching(found.url)) for _ in range(10)]
        push(found, "last")
        for events in streams:
            assert any('"last:' in one.data for one in events)
        assert found.service.stop(within=12) == 0
        for events in streams:
            with contextlib.suppress(OSError):
                assert list(events) == []
