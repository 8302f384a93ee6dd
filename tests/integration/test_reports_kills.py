"""Many nodes report while the controller is killed and restarted: nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections import Counter
from pathlib import Path

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
    watching,
)
from tests.report_nodes import Fleet, Node
from tests.waiting import until

NODES, REPORTS = 500, 4
#: Ids that the aggregator may see again: what was under way at a kill, which is a batch.
WHAT_IS_UNDER_WAY = 2000


def run(fleet: Fleet) -> threading.Thread:
    """Have the nodes report, in a thread."""
    thread = threading.Thread(target=lambda: asyncio.run(fleet.run()), daemon=True)
    thread.start()
    return thread


def check(found: Reporting, nodes: list[Node]) -> None:
    """Show that each acknowledged report was processed, and none that nobody sent."""
    acknowledged = {(node.name, id) for node in nodes for id in node.acknowledged}
    assert len(acknowledged) == sum(len(node.acknowledged) for node in nodes)
    until(lambda: acknowledged <= set(found.seen()), what="what was acknowledged", within=60)
    seen = Counter(found.seen())
    assert set(seen) == acknowledged
    # None under two ids: the data tells which it is.
    lines = found.ledger.read_text().splitlines()
    assert all(line.split(" ")[2] == "-".join(line.split(" ")[:2]) for line in lines)
    assert sum(seen.values()) - len(seen) <= WHAT_IS_UNDER_WAY
    until(lambda: status(found.url)["waiting"] == 0, what="an empty inbox")
    assert status(found.url)["dead"] == 0


@pytest.mark.alone
@pytest.mark.parametrize("kind", DATABASES)
def test_500_nodes_lose_nothing_while_the_controller_is_killed_and_restarted(
    kind: str, tmp_path: Path
) -> None:
    with reporting(kind, tmp_path) as found:
        wait_up(found)
        nodes = [Node(f"node{number}") for number in range(NODES)]
        reporters = run(Fleet(found.url, nodes, interval=1.0, count=REPORTS))
        until(lambda: len(found.seen()) > NODES, what="the first reports")
        first = role_of(found.service, "collector")
        assert first is not None
        first.send_signal(signal.SIGKILL)
        time.sleep(1)
        # Nodes are answered all the same: a web worker takes reports without a collector.
        assert report(found.url, "node0", "extra", b"node0-extra").status == 201
        nodes[0].acknowledged.append("extra")
        until(lambda: request(found.url, "Seen").status == 200, what="the next controller")
        # The whole service, by an operator.
        found.service.stop()
        found.start_again()
        reporters.join(90)
        assert not reporters.is_alive()
        assert [len(set(node.acknowledged) - {"extra"}) for node in nodes] == [REPORTS] * NODES
        check(found, nodes)


@pytest.mark.parametrize("kind", DATABASES)
def test_a_takeover_makes_new_aggregators_that_know_what_was_saved(
    kind: str, tmp_path: Path
) -> None:
    with reporting(kind, tmp_path) as found:
        wait_up(found)
        assert request(found.url, "Made").json == 1
        report(found.url, "node1", "r1", b"node1-r1")
        until(lambda: request(found.url, "Seen").json == {"seen": 1}, what="the report")
        before = process_of(found.url)
        with watching(found.url, after="0") as events:
            first = next(events)
        collector = role_of(found.service, "collector")
        assert collector is not None
        collector.send_signal(signal.SIGKILL)
        until(lambda: process_of(found.url) not in (before, b""), what="a new aggregator")
        until(lambda: request(found.url, "Made").status == 200, what="its answer")
        assert request(found.url, "Made").json == 2
        # What it had not saved is gone with it.
        assert request(found.url, "Seen").json == {"seen": 0}
        # Who watches goes on where it was.
        with watching(found.url, after=first.id) as events:
            report(found.url, "node1", "r2", b"node1-r2")
            second = next(events)
        assert int(second.id) == int(first.id) + 1


def test_one_of_two_collectors_has_the_aggregators(tmp_path: Path) -> None:
    """The second on another data folder, as on another host, takes over when the first is gone."""
    from tests.service import start_service  # noqa: PLC0415

    with reporting("postgresql", tmp_path, more='[collect]\nlease_ttl = "1s"\n') as found:
        wait_up(found)
        other = start_service(
            tmp_path / "other",
            config=found.config,
            options=[*found.options, "--no-web"],
            environ=found.environ,
        )
        try:
            before = process_of(found.url)
            until(lambda: role_of(other, "collector"), what="the other collector")
            time.sleep(2)
            assert process_of(found.url) == before
            assert not _children(other)
            first = role_of(found.service, "collector")
            assert first is not None
            # Stopped, and not ended: it may wake, and must not go on as if nothing had happened.
            first.send_signal(signal.SIGSTOP)
            until(lambda: _children(other), what="the aggregator at the other host")
            until(lambda: process_of(found.url) not in (b"", before), what="its answer")
            first.send_signal(signal.SIGCONT)
            until(lambda: not _children(found.service), what="the end of the first one")
            report(found.url, "node1", "r1", b"node1-r1")
            until(lambda: found.seen() == [("node1", "r1")], what="the report, once")
        finally:
            other.stop()


def _children(service: object) -> list[int]:
    collector = role_of(service, "collector")  # type: ignore[arg-type]
    if collector is None:
        return []
    return [one.pid for one in collector.children() if one.name() == "mds-aggregator"]
