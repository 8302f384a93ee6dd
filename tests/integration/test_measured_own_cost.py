"""What reading measurements of the store costs: one range of a key, however much there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aggregator.store.engine import Store
from aggregator.store.measured_own import OwnMeasurements
from aggregator.store.measured_selecting import DELAYS, THROUGHPUT
from aggregator.store.measured_values import Throughput
from tests import stores
from tests.integration.test_measured_own import NOON, TCP
from tests.measured_kit import ntp
from tests.stores import opened

store = stores.store


@pytest.mark.parametrize("statement", [THROUGHPUT, DELAYS])
def test_a_day_is_one_range_of_the_key(store: Store, statement: Any) -> None:
    values = {"of": 1, "first": 5, "last": 9, "reaching": 5, "most": 10}
    with store.read() as connection:
        text, names, literals = statement._text(connection)
        cursor = connection.connection.cursor()
        if store.is_sqlite:
            cursor.execute(
                f"EXPLAIN QUERY PLAN {text}", [(literals | values)[name] for name in names]
            )
            (line,) = cursor.fetchall()
            assert "USING PRIMARY KEY (test_id=? AND" in line[3]
            return
        cursor.execute("BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute(f"EXPLAIN {text}", {**literals, **values})
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("ROLLBACK")
        assert "Index Only Scan using measured_" in plan
        assert "Sort" not in plan


@pytest.mark.parametrize("others", [10, 100])
def test_a_day_costs_the_same_however_much_there_is(tmp_path: Path, others: int) -> None:
    """Counted in steps of the database: those of ten times as many paths are as many."""
    store = opened("", tmp_path)
    stores.prepare(store)
    own = OwnMeasurements(store)
    day = [Throughput(ntp(NOON + 600 * n), 1.0) for n in range(144)]
    for number in range(others):
        test = TCP._replace(source=f"10.0.1.{number}")
        own.add_throughput(test, [Throughput(ntp(NOON + 60 * n), 1.0) for n in range(1000)])
    own.add_throughput(TCP, day)
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    with store.read() as connection:
        driver: Any = connection.connection.dbapi_connection
        text, names, literals = THROUGHPUT._text(connection)
        values = {"of": others + 1, "first": -(2**63), "last": 2**63 - 1, "most": 4000}
        driver.set_progress_handler(step, 100)
        found = driver.execute(text, [(literals | values)[name] for name in names]).fetchall()
        driver.set_progress_handler(None, 0)
    store.close()
    assert len(found) == 144
    assert steps < 30
