"""Members and probes that hang make no healthy one late, and nothing is left of them."""

from __future__ import annotations

import asyncio
import math
import socket
import stat
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from tests import soap
from tests.databases import DATABASES
from tests.integration.timing import BestOfThree, p99
from tests.migrated import with_tables
from tests.polled_members import PolledMembers, polled_members
from tests.service import RunningService, running_service
from tests.timing_out import time_out
from tests.waiting import until

pytestmark = pytest.mark.alone

HEALTHY, HANGING, PROBES = 500, 200, 50
INTERVAL = 2.0
#: Seconds after which a collection is given up.
TIMEOUT = 3.0
WATCHED = 10.0
#: Seconds by which a poll may come before its member's beat.
EARLY = 0.1
PROBE = "#!/bin/sh\ntrap '' TERM\nsleep 98765 &\nsetsid sleep 98765 &\nsleep 98765\n"
POLL = soap.get_property_config("w:load", millis=int(INTERVAL * 1000), declare='xmlns:w="urn:w"')


@contextmanager
def black_holes(count: int) -> Iterator[list[str]]:
    """Addresses of hosts that take a connection and say nothing, each a host of its own."""
    with ExitStack() as stack:
        found = []
        for number in range(count):
            listener = stack.enter_context(
                socket.create_server((f"127.0.1.{number + 1}", 0), backlog=64)
            )
            host, port = listener.getsockname()
            found.append(f"http://{host}:{port}/hangs")
        yield found


@pytest.fixture(params=DATABASES)
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningService]:
    """A service whose probes hang."""
    probes = tmp_path / "probes"
    probes.mkdir(mode=0o755)
    hangs = probes / "hangs"
    hangs.write_text(PROBE)
    hangs.chmod(hangs.stat().st_mode | stat.S_IXUSR)
    config = (
        f"[collect]\ntimeout = '{TIMEOUT:g}s'\nconnect_timeout = '{TIMEOUT:g}s'\n"
        f"[probes]\nfolder = '{probes}'\ntimeout = '{TIMEOUT:g}s'\n"
    )
    with (
        with_tables(request.param, tmp_path) as url,
        running_service(tmp_path / "data", config=config, options=["--database", url]) as running,
    ):
        yield running


def add_all(service: RunningService, members: list[tuple[str, str]]) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda member: soap.add(service.group, *member), members))


Polls = dict[str, list[float]]


def watched(members: PolledMembers) -> tuple[float, Polls]:
    """When the members were polled in a while, and when that while began."""
    members.noted()
    began = time.monotonic()
    time.sleep(WATCHED)
    return began, members.noted()


def beats(polls: Polls) -> dict[str, float]:
    """An instant of each member's schedule: that of its poll which came earliest in an interval."""
    found = {}
    for path, moments in polls.items():
        # From half an interval before the first one on, so that its neighbours don't wrap.
        around = [(moment - moments[0] + INTERVAL / 2) % INTERVAL for moment in moments]
        found[path] = moments[0] - INTERVAL / 2 + min(around)
    return found


def latenesses(polls: Polls, beats: dict[str, float], *, began: float) -> list[float]:
    """How late each poll was that was due; one that did not come is as late as the next one."""
    late = []
    for path, beat in beats.items():
        moments = polls.get(path, [])
        due = beat + math.ceil((began + EARLY - beat) / INTERVAL) * INTERVAL
        while due < began + WATCHED - 1:
            came = next((moment for moment in moments if moment > due - EARLY), math.inf)
            late.append(max(0.0, came - due))
            due += INTERVAL
    return late


def collector(service: RunningService) -> psutil.Process:
    roles = psutil.Process(service.process.pid).children()
    return next(role for role in roles if role.name() == "mds-collector")


def test_those_that_hang_make_no_healthy_one_late(service: RunningService) -> None:
    with polled_members() as members, black_holes(HANGING) as holes:
        add_all(service, [(f"{members.url}/{number}", POLL) for number in range(HEALTHY)])
        time.sleep(INTERVAL)
        began, polls = watched(members)
        assert len(polls) == HEALTHY
        schedule = beats(polls)
        rest = latenesses(polls, schedule, began=began)
        hanging: list[str] = []

        def attempt() -> list[tuple[str, float, float]]:
            if not hanging:
                hanging.extend(holes)
                add_all(service, [(hole, POLL) for hole in holes])
                hangs = soap.execution_config("hangs", millis=int(INTERVAL * 1000))
                probed = [f"http://127.0.0.1:1/{number}" for number in range(PROBES)]
                add_all(service, [(address, hangs) for address in probed])
                time.sleep(TIMEOUT + INTERVAL)
            began, polls = watched(members)
            late = latenesses(polls, schedule, began=began)
            assert len(late) > HEALTHY * (WATCHED / INTERVAL - 2)
            return [
                ("p99", p99(late), max(2 * p99(rest), 0.1)),
                ("ever", max(late), 1.0),
            ]

        BestOfThree(attempt).check()
        # All that hung was given up again and again, and nothing of it is left.
        until(lambda: "timeout" in outcomes(service), what="collections that were given up")
        files = collector(service).num_fds()
        assert files < HEALTHY + 2 * HANGING
    service.stop()
    assert not [
        p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "98765"]
    ]


def outcomes(service: RunningService) -> str:
    with urllib.request.urlopen(f"{service.url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return "\n".join(line for line in lines if line.startswith("aggregator_collections_total"))


def test_two_thousand_time_outs_leave_nothing_behind() -> None:
    """`bench/run timeouts` has ten thousand."""
    left = asyncio.run(time_out(probes=600, polls=1400))
    assert left.files <= 0
    assert left.processes == 0
    assert left.temporary == frozenset()
