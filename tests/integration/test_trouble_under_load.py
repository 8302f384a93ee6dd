"""The store in trouble under a whole service at work: refused in time, kept whole, recovered."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from tests import databases, soap
from tests.chaos.exchange import Failure
from tests.chaos.ledger import Ledger, now
from tests.chaos.looking import Course
from tests.chaos.playing import SLACK, at_work, look_again
from tests.integration import own_postgresql
from tests.integration.black_hole import BlackHole
from tests.integration.own_postgresql import OwnPostgresql
from tests.integration.small_disk import fill, mounted
from tests.integration.test_full_disk import standing
from tests.integration.test_serve import get
from tests.service import RunningService, running_service
from tests.waiting import until

pytestmark = pytest.mark.long

postgresql_url = databases.postgresql_url
server = own_postgresql.server
SECOND = 1_000_000
#: Seconds in which a write is answered: ``store.write_timeout``, and what a busy machine adds.
IN_TIME = 5 + 2.5
#: Seconds after the end of the trouble in which the last of it is noticed.
AFTERMATH = 4
WRITES = ("Add", "renewal", "Destroy", "end")


@dataclass(slots=True)
class Scene:
    """A service at work, its clients' books, and when the store was in trouble."""

    service: RunningService
    ledger: Ledger
    course: Course = field(default_factory=lambda: Course(quota=0, pause=0.02))
    began: int = 0
    ended: int = 0

    @property
    def group(self) -> str:
        """Where the clients work."""
        return self.service.group

    def wait_for_writes(self, more: int = 60) -> None:
        """Wait until that many more Adds and renewals were acknowledged."""
        wanted = self.course.written + more
        until(
            lambda: self.course.written >= wanted or self.course.broken.is_set(),
            within=90,
            what="writes that are acknowledged",
        )
        assert self.ledger.violations == []

    def refused(self) -> list[Failure]:
        """The writes that were refused."""
        return [f for f in self.course.failures if f.operation in WRITES]

    @contextmanager
    def trouble(self) -> Iterator[None]:
        """The store is in trouble in the block."""
        self.began = now()
        yield
        self.ended = now()

    def judge(self, *, may_fail: tuple[str, ...] = ()) -> None:
        """What must hold whatever the trouble was."""
        assert self.ledger.violations == []
        assert self.refused(), "nothing was refused: there was no trouble"
        for failure in self.course.failures:
            # A machine that is busy with others may be a trouble of its own for writes.
            during = failure.overlaps(self.began, self.ended + AFTERMATH * SECOND)
            assert during or failure.operation in WRITES, failure
            in_time = failure.ended - failure.began < IN_TIME * SECOND
            assert in_time or failure.operation not in WRITES, failure
            answer = failure.answer
            assert answer is not None, failure
            assert (answer.status, "Retry-After" in answer.headers) == (500, True), failure
            unseen = b"was not known before" in answer.content
            assert failure.operation in (*WRITES, *may_fail) or unseen, failure
            draft = b"wsrf/2004/06" in answer.content
            assert answer.fault[0] == ("BaseFault" if draft else "ResourceUnavailableFault")
        assert "Traceback" not in self.service.logs()


@contextmanager
def scene(
    folder: Path, *, url: str = "", kind: str = "postgresql", config: str = ""
) -> Iterator[Scene]:
    """A service at work; all its standing processes are the same at the end."""
    options = ["--database", url] if url else []
    with running_service(folder, options=options, config=config) as service:
        made = Scene(service, Ledger(slack=SLACK[kind]))
        soap.add(f"{service.url}/wsrf/services/DefaultIndexService", "http://10.0.99.1/seed")
        made.ledger.acknowledged(made.ledger.open("http://10.0.99.1/seed", "oasis"), float("inf"))
        until(lambda: len(standing(service)) == 6, what="three roles, two workers, a probe server")
        before = standing(service)
        # The evaluator answers without the store for groups that it knows.
        assert soap.query(service.group, "count(//*)").status == 200
        with at_work(made.group, made.ledger, made.course, seed=1, readers=2):
            made.wait_for_writes()
            yield made
            made.wait_for_writes()
        look_again(made.group, made.ledger, made.course)
        assert standing(service) == before


def answered_reads(course: Course) -> int:
    return course.counts["read of all answered"]


def last_for(seconds: float, true: Callable[[], bool]) -> None:
    """Stay for a while, and until something has become true."""
    time.sleep(seconds)
    until(true, what="what the trouble must bring")


@pytest.mark.timeout(240)
def test_a_file_that_another_process_locks(tmp_path: Path) -> None:
    with (
        scene(tmp_path, kind="sqlite") as at,
        closing(sqlite3.connect(tmp_path / "aggregator.db", isolation_level=None)) as other,
        at.trouble(),
    ):
        other.execute("BEGIN IMMEDIATE")
        read = answered_reads(at.course)
        last_for(8, lambda: bool(at.refused()))
        assert answered_reads(at.course) > read + 5
        assert at.course.counts["stale reply"] == 0
        assert get(f"{at.service.url}/readyz")[0] == 200
        other.execute("ROLLBACK")
    at.judge()


@pytest.mark.timeout(240)
@pytest.mark.postgresql
def test_tables_that_another_session_locks(tmp_path: Path, postgresql_url: str) -> None:
    address = make_url(postgresql_url).set(drivername="postgresql")
    with (
        scene(tmp_path, url=postgresql_url) as at,
        psycopg.connect(address.render_as_string(hide_password=False)) as other,
        at.trouble(),
    ):
        other.execute("LOCK TABLE groups IN EXCLUSIVE MODE")
        read = answered_reads(at.course)
        last_for(8, lambda: bool(at.refused()))
        assert answered_reads(at.course) > read + 5
        assert at.course.counts["stale reply"] == 0
        other.rollback()
    at.judge()


@pytest.mark.timeout(240)
@pytest.mark.postgresql
def test_a_server_that_crashes_and_comes_back(tmp_path: Path, server: OwnPostgresql) -> None:
    with scene(tmp_path, url=server.url) as at, at.trouble():
        for _ in range(2):
            server.stop()
            read, refused = at.course.counts["stale reply"], len(at.refused())
            last_for(
                3,
                lambda read=read, refused=refused: (  # type: ignore[misc]
                    at.course.counts["stale reply"] > read and len(at.refused()) > refused
                ),
            )
            assert get(f"{at.service.url}/readyz")[0] == 200
            server.start()
            at.wait_for_writes(20)
    # The evaluator may have seen less than the web worker, and can't catch up.
    at.judge(may_fail=("XPath",))


@pytest.mark.timeout(240)
@pytest.mark.postgresql
def test_a_way_that_swallows_everything(tmp_path: Path, postgresql_url: str) -> None:
    url = make_url(postgresql_url)
    hole = BlackHole(url.host or "127.0.0.1", url.port or 5432)
    behind = url.set(host="127.0.0.1", port=hole.port).render_as_string(hide_password=False)
    try:
        with scene(tmp_path, url=behind) as at, at.trouble():
            hole.swallows = lambda _: True
            last_for(8, lambda: at.course.counts["stale reply"] > 5 and bool(at.refused()))
            assert get(f"{at.service.url}/healthz")[0] == 200
            hole.swallows = lambda _: False
        at.judge(may_fail=("XPath",))
    finally:
        hole.close()


@pytest.mark.timeout(240)
@pytest.mark.postgresql
def test_reads_end_when_what_is_known_is_too_old_and_begin_again(
    tmp_path: Path, server: OwnPostgresql
) -> None:
    with scene(tmp_path, url=server.url, config="[store]\nstale_reads = '3s'\n") as at:
        with at.trouble():
            server.stop()
            until(lambda: at.course.counts["stale reply"] > 0, what="reads from memory")

            def failed(operation: str) -> bool:
                return any(f.operation == operation for f in at.course.failures)

            until(lambda: failed("read of all") and failed("XPath"), what="reads that fail")
            until(lambda: get(f"{at.service.url}/readyz")[0] == 503, what="a host that says so")
            server.start()
        until(lambda: get(f"{at.service.url}/readyz")[0] == 200, what="ready again")
        read = answered_reads(at.course)
        assert until(lambda: answered_reads(at.course) > read + 5, what="reads again")
    at.judge(may_fail=("read of all", "read of one", "XPath"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of sixteen megabytes."""
    with mounted(tmp_path / "small", megabytes=16) as folder:
        yield folder


@pytest.mark.timeout(240)
def test_a_disk_that_is_full(tmp_path: Path, small_disk: Path) -> None:
    with scene(small_disk / "data", kind="sqlite") as at, at.trouble():
        fill(small_disk / "filler")
        last_for(3, lambda: len(at.refused()) > 20)
        read = answered_reads(at.course)
        until(lambda: answered_reads(at.course) > read + 5, what="reads")
        (small_disk / "filler").unlink()
    at.judge()
    assert any("full" in f.what for f in at.refused())
