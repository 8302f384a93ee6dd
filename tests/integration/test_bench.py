"""What bench/run offers can be started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
NAMES = ("chaos", "fuzz", "fuzz-wire", "timeouts")


def bench(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "AGGREGATOR_TEST_VENV": str(Path(sys.executable).parent.parent)}
    command = [ROOT / "bench" / "run", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=environ, timeout=100, check=False
    )


def test_what_there_is_is_listed() -> None:
    listed = bench("--help")
    assert listed.returncode == 0
    words = [line.split()[0] for line in listed.stdout.splitlines() if line.strip()]
    assert set(NAMES) <= set(words)
    assert "nothing" in bench("nothing").stderr


@pytest.mark.parametrize("name", NAMES)
def test_it_tells_its_options(name: str) -> None:
    told = bench(name, "--help")
    assert told.returncode == 0, told.stderr
    assert f"Usage: bench/run {name}" in told.stdout


def test_fuzzing_counts_what_it_sent(tmp_path: Path) -> None:
    counts = tmp_path / "counts.json"
    done = bench("fuzz", "--no-collector", "--seconds", "3", "--seed", "1", "--json", counts)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(counts.read_text())
    assert found["failed"] == []
    assert sum(count for _, _, count in found["counts"]) > 0
