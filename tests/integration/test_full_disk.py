"""A full disk under the whole service: writes are refused in time, reads go on, nobody dies."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from aggregator.store.turn_mark import TurnMark
from tests import soap
from tests.integration.small_disk import fill, mounted
from tests.service import MANY_GROUPS, RunningService, running_service
from tests.waiting import until

MEMBER = "http://127.0.0.1:1/member"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of six megabytes."""
    with mounted(tmp_path / "small", megabytes=6) as folder:
        yield folder


def standing(service: RunningService) -> set[int]:
    """The roles, the web workers and the probe server, without what each runs for one task."""
    roles = psutil.Process(service.process.pid).children()
    return {
        process.pid
        for role in roles
        for process in (role, *([] if role.name() == "mds-query" else role.children()))
    }


def test_a_full_disk_costs_no_process_and_no_read(small_disk: Path) -> None:
    with running_service(small_disk / "data", config=MANY_GROUPS) as service:
        groups = [service.next_group() for _ in range(20)]
        soap.add(groups[0], MEMBER)
        soap.query(groups[0], "count(//*)")
        until(lambda: "collecting" in service.logs(), what="the collector")
        until(lambda: len(standing(service)) == 6, what="three roles, two workers, a probe server")
        before = standing(service)
        fill(small_disk / "filler")
        refused = 0
        # Each group has metrics of its own, which need room where nobody can refuse it.
        for group in groups:
            began = time.monotonic()
            answer = soap.call(group, soap.add_body(MEMBER))
            assert time.monotonic() - began < 6
            if answer.status != 200:
                refused += 1
                assert answer.fault[0] == "ResourceUnavailableFault"
                assert "full" in answer.fault[1]
                assert answer.headers["Retry-After"]
            assert soap.get_property(group, "sg:Entry").status == 200
        assert refused
        assert len(soap.entries(groups[0])) >= 1
        (small_disk / "filler").unlink()
        until(
            lambda: soap.call(groups[0], soap.add_body(MEMBER)).status == 200,
            what="an Add once there is room",
        )
        assert before == standing(service)


def test_a_mark_that_has_no_room_is_refused_and_one_that_has_goes_on(small_disk: Path) -> None:
    """A file that is mapped without room for it ends who looks at it."""
    early, late = (os.open(small_disk / name, os.O_RDWR | os.O_CREAT) for name in ("a", "b"))
    try:
        mark = TurnMark(early)
        fill(small_disk / "filler")
        with pytest.raises(OSError, match="space"):
            TurnMark(late)
        mark.begin()
        assert mark.seen() is None
        mark.end()
        assert mark.seen() == 2
        (small_disk / "filler").unlink()
        assert TurnMark(late).seen() == 0
    finally:
        os.close(early)
        os.close(late)
