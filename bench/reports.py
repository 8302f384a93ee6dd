"""``bench/run reports``: nodes that report each second while the controller is restarted.

REQUESTs beside them, and what an update takes to a watcher.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bench.figures import Figure, Result
from bench.processes import cpu_seconds
from tests.chaos.victims import role_of
from tests.report_kit import Reporting, report, reporting, request, status, wait_up, watching
from tests.report_nodes import Fleet, Node
from tests.waiting import until

WHAT = "500 nodes at a report a second, the controller killed and restarted in between"
_NODES, _SECONDS = 500, 60
_REQUESTS, _UPDATES = 100, 20
_SETTINGS = 'update_interval = "1s"\n'


def run(folder: Path, advance: Callable[[float], None]) -> Result:
    """Measure on both databases; `advance` is told the share that is done."""
    result = Result("reports", WHAT)
    result.columns = ("database", "what", "p50, ms", "p99, ms", "worst, ms")
    for number, kind in enumerate(("sqlite", "postgresql")):
        own = folder / kind
        own.mkdir()
        with reporting(kind, own, settings=_SETTINGS) as found:
            wait_up(found)
            _requests(found, kind, result, "a REQUEST, nothing else")
            advance(0.5 * number + 0.05)
            _reports(found, kind, result)
            advance(0.5 * number + 0.4)
            _updates(found, kind, result)
        advance(0.5 * number + 0.5)
    return result


def _reports(found: Reporting, kind: str, result: Result) -> None:
    nodes = [Node(f"node{number}") for number in range(_NODES)]
    fleet = Fleet(found.url, nodes, interval=1.0, count=_SECONDS)
    thread = threading.Thread(target=lambda: asyncio.run(fleet.run()), daemon=True)
    began, before = time.monotonic(), cpu_seconds(found.service.process.pid)
    thread.start()
    time.sleep(_SECONDS / 4)
    share = (cpu_seconds(found.service.process.pid) - before) / (time.monotonic() - began)
    _requests(found, kind, result, "a REQUEST beside them")
    collector = role_of(found.service, "collector")
    if collector is not None:
        collector.kill()
    time.sleep(_SECONDS / 4)
    found.service.stop()
    found.start_again()
    thread.join()
    acknowledged = {(node.name, id) for node in nodes for id in node.acknowledged}
    until(lambda: status(found.url)["waiting"] == 0, within=120, what="an empty inbox")
    seen = found.seen()
    lost = len(acknowledged - set(seen))
    result.figures += [
        Figure(f"{kind}: acknowledged reports that were lost", lost, "reports", "at most", 0),
        Figure(f"{kind}: CPU of the service", 100 * share, "% of a core", "at most", 100),
    ]
    result.notes.append(
        f"{kind}: {len(acknowledged)} reports, sent {sum(n.sent for n in nodes)} times;"
        f" {len(seen) - len(set(seen))} processed again after a kill; the latest acknowledgement"
        f" {max(node.late for node in nodes):.1f} s after its time (restarts included)"
    )


def _requests(found: Reporting, kind: str, result: Result, what: str) -> None:
    took = []
    for _ in range(_REQUESTS):
        began = time.perf_counter()
        if request(found.url, "Seen").status == 200:
            took.append(time.perf_counter() - began)
    _row(result, kind, what, took)


def _updates(found: Reporting, kind: str, result: Result) -> None:
    """From a report's acknowledgement to the update that tells of it."""
    took = []
    with watching(found.url) as events:
        for number in range(_UPDATES):
            report(found.url, f"node{number}", f"u{number}", b"x")
            began = time.perf_counter()
            wanted = request(found.url, "Seen").json["seen"]
            for event in events:
                if json.loads(event.data)["data"]["seen"] >= wanted:
                    break
            took.append(time.perf_counter() - began)
    _row(result, kind, "a report to a watcher (asked each second)", took)


def _row(result: Result, kind: str, what: str, took: list[float]) -> None:
    took.sort()
    shown = [took[int(share * (len(took) - 1))] for share in (0.5, 0.99, 1.0)]
    result.rows.append((kind, what, *(f"{seconds * 1000:.0f}" for seconds in shown)))
