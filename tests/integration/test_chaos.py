"""Ten rounds of what ``bench/run chaos`` plays two hundred of: see docs/resilience.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.life import life
from tests.chaos.playing import SLACK, WRITES, play
from tests.databases import DATABASES, database

pytestmark = pytest.mark.long

ROUNDS = 5
#: Of the first round on each database, so that every role is killed in its rounds.
SEEDS = {"sqlite": 1, "postgresql": 23}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", DATABASES)
def test_kills_at_random_moments_cost_nothing_that_was_acknowledged(
    tmp_path: Path, kind: str
) -> None:
    killed: set[str] = set()
    acknowledged = 0
    with database(kind, tmp_path) as url, life(tmp_path, url) as lived:
        for number in range(ROUNDS):
            played = play(lived, SEEDS[kind] + number, number, slack=SLACK[kind])
            assert played.violations == [], f"seed {played.seed}"
            killed |= {kill.role for kill in played.kills}
            acknowledged += played.written
    assert acknowledged >= ROUNDS * WRITES >= 1000
    assert len(killed) == 6, "choose seeds that have every role killed"
    assert lived.restarts, "choose seeds that have a supervisor killed"
