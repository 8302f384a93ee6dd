"""A service whose supervisor was killed comes up again on the same port as quickly as at first."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests import soap
from tests.databases import DATABASES, database
from tests.integration.timing import BestOfThree
from tests.service import free_port, start_service

pytestmark = pytest.mark.alone

#: Seconds that what is left of the old one may cost the next.
GRACE = 1.0


@pytest.mark.parametrize("kind", DATABASES)
def test_who_starts_a_killed_service_waits_no_longer_than_at_first(
    tmp_path: Path, kind: str
) -> None:
    with database(kind, tmp_path) as url:
        options = ["--database", url]

        def attempt() -> list[tuple[str, float, float]]:
            port = free_port()
            began = time.monotonic()
            service = start_service(tmp_path / str(port), port=port, options=options)
            first = time.monotonic() - began
            entry = soap.add(service.group, "http://127.0.0.1:1/member")
            service.kill()
            began = time.monotonic()
            again = start_service(tmp_path / str(port), port=port, options=options)
            try:
                took = time.monotonic() - began
                there = soap.get_property(entry.address, "rl:TerminationTime", header=entry.header)
                assert there.status == 200
            finally:
                assert again.stop() == 0
            return [("until it is ready again", took, first + GRACE)]

        BestOfThree(attempt).check()
