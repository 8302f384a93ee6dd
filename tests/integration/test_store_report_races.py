"""What happens to reports at the same time: a node is forgotten while it reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Connection

from aggregator.store import report_inbox
from aggregator.store.engine import Store
from aggregator.store.report_inbox import NewReport, NodeLimits, forget_reports, take_report
from aggregator.store.report_status import count_reports, node_states
from tests import stores
from tests.stores import ManualClock

store, clock = stores.store, stores.clock
ROOMY = NodeLimits(waiting=10_000, size=10**9, rate=1000, nodes=1000, inbox=1000)


def take(store: Store, id: str) -> str:
    report = NewReport("a", id, "Load", "text/plain", b"x")
    return store.writer.run(lambda write: take_report(write, report, ROOMY))


@dataclass(slots=True)
class Late:
    """What was true before another web worker has taken a report, which it does now."""

    store: Store

    def rows(self, connection: Connection, **given: Any) -> Sequence[Any]:
        with self.store.database.reading.begin() as other:
            other.exec_driver_sql(
                "insert into reports (node, report_id, type, content_type, at, size, data, state,"
                " tries, due, taken, error)"
                " values ('a', 'between', 'Load', '', 1, 1, 'x', 0, 0, 0, '', '')"
            )
        return [(0, 0)]


def test_a_report_that_comes_while_its_node_is_forgotten_stays(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    if store.is_sqlite:
        pytest.skip("there one transaction writes at a time")
    take(store, "old")
    with store.database.reading.begin() as connection:
        connection.exec_driver_sql("update reports set state = 1, data = null")
    with monkeypatch.context() as patched:
        patched.setattr(report_inbox, "WAITING", Late(store))
        forgotten = store.writer.run(
            lambda write: forget_reports(write, "a", remembered=0, before=clock.time + 1)
        )
    assert forgotten == 1
    assert store.query(count_reports) == (1, 0)
    [node] = store.query(lambda connection: node_states(connection, after="", most=9))
    assert (node.node, node.waiting) == ("a", 1)
