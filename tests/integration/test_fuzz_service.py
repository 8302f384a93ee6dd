"""Two thousand requests that nobody would write on purpose: none leaves a trace that it shouldn't.

What is sent, and what must hold of every answer, is in `tests.fuzzing`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings

from tests.databases import DATABASES
from tests.fuzzing.case import Case
from tests.fuzzing.kinds import KINDS, SHARES
from tests.fuzzing.ledger import Ledger
from tests.fuzzing.stage import CONFIG, Stage
from tests.migrated import with_tables
from tests.service import running_service

pytestmark = pytest.mark.long

#: Cases for each percent of a kind: 1,800 on the embedded database, 200 on a server.
SIZES = {"sqlite": 18, "postgresql": 2}
#: Kinds after which the groups hold something that they did not hold before.
ADDING = ("add", "spoilt")


@pytest.fixture(scope="module", params=DATABASES)
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """A service without a collector, so that requests alone change what is stored."""
    folder = tmp_path_factory.mktemp("service")
    with with_tables(request.param, folder) as url:
        options = ["--no-collector", "--database", url, "--workers", "1"]
        with running_service(folder, config=CONFIG, options=options) as service:
            ledger = Ledger(url)
            try:
                yield Stage(service, ledger)
            finally:
                ledger.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_every_request_is_answered_by_the_protocol_and_a_refused_one_changes_nothing(
    stage: Stage, kind: str
) -> None:
    size = SIZES[stage.ledger.dialect] * SHARES[kind]
    outcomes: Counter[str] = Counter()

    @settings(
        max_examples=size,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=KINDS[kind])
    def play(case: Case) -> None:
        outcomes[stage.play(case)] += 1

    play()
    stage.check_log()
    if kind in ADDING:
        stage.check_whole()
    assert outcomes.total() >= size
    assert len(outcomes) > 1 or kind in ("noise", "unknown"), outcomes
