"""The files of ended processes are added up: sums stay, gauges go, files do not pile up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from aggregator.server.metric_files import add_up_ended, unchanged

COUNT = """
import os
from prometheus_client import Counter, Gauge, Histogram
Counter("adds", "Adds.", ["group"]).labels(os.environ["GROUP"]).inc(3)
Histogram("took", "Took.", buckets=(1, 2)).observe(1.5)
Gauge("shards", "Shards.", multiprocess_mode="livesum").set(64)
"""


def end_one(folder: Path, group: str) -> None:
    """Let a process count and end."""
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder), "GROUP": group}
    subprocess.run([sys.executable, "-c", COUNT], env=environ, check=True)


def told(folder: Path) -> list[str]:
    """The samples, as /metrics shows them."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))
    return [x for x in generate_latest(registry).decode().splitlines() if not x.startswith("#")]


def test_sums_stay_gauges_go_and_files_do_not_pile_up(tmp_path: Path) -> None:
    for group in ("a", "b", "a"):
        end_one(tmp_path, group)
        add_up_ended(tmp_path)
    with unchanged(tmp_path):
        found = told(tmp_path)
    assert 'adds_total{group="a"} 6.0' in found
    assert 'adds_total{group="b"} 3.0' in found
    assert 'took_bucket{le="2.0"} 3.0' in found
    assert "took_sum 4.5" in found
    assert not [line for line in found if line.startswith("shards")]
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {"counter_ended.db", "histogram_ended.db", "lock"}


def test_adding_up_again_changes_nothing(tmp_path: Path) -> None:
    end_one(tmp_path, "a")
    add_up_ended(tmp_path)
    once = told(tmp_path)
    add_up_ended(tmp_path)
    assert told(tmp_path) == once


def test_files_of_living_processes_and_empty_ones_are_borne(tmp_path: Path) -> None:
    own = tmp_path / f"counter_{os.getpid()}.db"
    own.touch()
    # Killed between making the file and writing to it.
    (tmp_path / "counter_999999999.db").touch()
    add_up_ended(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {own.name, "lock"}
