"""Two hundred senders that stop and two hundred readers that crawl cost a good client nothing."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests import soap
from tests.databases import DATABASES
from tests.integration.timing import p99
from tests.migrated import with_tables
from tests.service import RunningService, running_service
from tests.slow_crowd import slow_crowd
from tests.waiting import until

pytestmark = pytest.mark.alone

#: Two more groups than the default one: what crawling readers read, and where a good client is.
CONFIG = "[groups.Large]\n[groups.Small]\n"
MEMBERS, FILLER = 24, 880_000
#: What a good client may wait longer than at rest, in seconds.
GRACE = 0.1


@pytest.fixture(scope="module", params=DATABASES)
def crowded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """A service on each database with a group of 20 MB and a small one."""
    folder = tmp_path_factory.mktemp("crowded")
    with (
        with_tables(request.param, folder) as url,
        with_large_group(folder, CONFIG, options=["--database", url]) as running,
    ):
        yield running


@contextmanager
def with_large_group(
    folder: Path, config: str, *, options: Sequence[str] = ()
) -> Iterator[RunningService]:
    with running_service(folder, config=config, options=options) as running:
        filler = soap.IDLE.replace(
            "<agg:PollIntervalMillis>", f"<!--{'x' * FILLER}--><agg:PollIntervalMillis>"
        )
        for number in range(MEMBERS):
            soap.add(at(running, "Large"), f"http://127.0.0.1:1/{number}", filler)
        soap.add(at(running, "Small"), "http://127.0.0.1:1/small")
        assert len(soap.get_property(at(running, "Large"), "sg:Entry").content) > 20_000_000
        yield running


def at(service: RunningService, group: str) -> str:
    return f"{service.url}/wsrf/services/{group}"


class GoodClient:
    """Reads and registers on one connection, and notes how long each answer took."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._path = parts.path
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        rp, sg = soap.NS["oasis"]["rp"], soap.NS["oasis"]["sg"]
        entries = (
            f'<rp:GetResourceProperty xmlns:rp="{rp}" xmlns:sg="{sg}">sg:Entry'
            "</rp:GetResourceProperty>"
        )
        add = soap.add_body("http://127.0.0.1:1/good", termination="PT1S")
        self._bodies = [soap.envelope(entries)] * 4 + [soap.envelope(add)]

    def p99(self, *, seconds: float = 0.0, while_true: Callable[[], bool] = bool) -> float:
        """The p99 of the answers in some time, and for as long as something is true."""
        times: list[float] = []
        ends = time.monotonic() + seconds
        while len(times) < 100 or time.monotonic() < ends or while_true():
            body = self._bodies[len(times) % len(self._bodies)]
            began = time.perf_counter()
            self._connection.request("POST", self._path, body, {"Content-Type": "text/xml"})
            reply = self._connection.getresponse()
            content = reply.read()
            times.append(time.perf_counter() - began)
            assert reply.status == 200, content
            time.sleep(0.002)
        return p99(times)

    def close(self) -> None:
        self._connection.close()


def test_a_good_client_is_answered_as_at_rest(crowded: RunningService) -> None:
    """While they connect, and once they are there; the best of three."""
    waits = []
    for _ in range(3):
        good = GoodClient(at(crowded, "Small"))
        try:
            rest = good.p99(seconds=2)
            with slow_crowd(at(crowded, "Large"), senders=200, readers=200) as crowd:
                assert crowd.stdout is not None
                hearing = threading.Thread(target=crowd.stdout.readline)
                hearing.start()
                connecting = good.p99(while_true=hearing.is_alive)
                steady = good.p99(seconds=3)
        finally:
            good.close()
        waits.append(max(connecting, steady) - rest)
        if waits[-1] < GRACE:
            return
    raise AssertionError(f"waited longer than at rest by {waits} s")


def held(service: RunningService) -> int:
    """Bytes that are the web workers' own."""
    for role in psutil.Process(service.process.pid).children():
        if role.name() == "mds-web":
            return sum(worker.memory_full_info().uss for worker in role.children())
    raise AssertionError("no web role")


def test_replies_that_nobody_takes_hold_a_bounded_memory(tmp_path: Path) -> None:
    """Without the bound, eight hundred pieces of 256 KiB would be held."""
    config = CONFIG + "[server]\nreply_memory = '8MiB'\n"
    with with_large_group(tmp_path, config) as service:
        for _ in range(4):
            soap.get_property(at(service, "Large"), "sg:Entry")
        before = held(service)
        with slow_crowd(at(service, "Large"), senders=0, readers=800) as crowd:
            assert crowd.stdout is not None
            assert crowd.stdout.readline() == "connected\n"
            until(lambda: cut_off(service, "reply memory") > 0, what="readers that were cut off")
            time.sleep(1)
            assert held(service) - before < 110 * 2**20


def cut_off(service: RunningService, limit: str) -> float:
    """How many connections ended because of a limit."""
    content = text_at(f"{service.url}/metrics")
    wanted = f'aggregator_connections_ended_total{{limit="{limit}"}}'
    lines = [line for line in content.splitlines() if line.startswith(wanted)]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def text_at(url: str) -> str:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


IMPATIENT = """
[server]
workers = 1
connections = 10
request_memory = "1MiB"
header_timeout = 2
body_timeout = 3
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service with room for ten connections and a megabyte of requests."""
    with running_service(tmp_path_factory.mktemp("small"), config=IMPATIENT) as running:
        yield running


def connected(service: RunningService, said: bytes) -> socket.socket:
    parts = urlsplit(service.url)
    connection = socket.create_connection((parts.hostname or "", parts.port), timeout=20)
    connection.sendall(said)
    return connection


def test_one_too_many_takes_the_place_of_one_that_is_idle(small: RunningService) -> None:
    """The oldest of those that cost nobody an answer goes; whoever comes is answered."""
    before = cut_off(small, "crowded")
    crowd = [connected(small, b"POST / HT") for _ in range(12)]
    try:
        assert soap.get_property(small.group, "rl:CurrentTime").status == 200
        with suppress(ConnectionResetError):
            assert crowd[0].recv(100) == b""
        assert cut_off(small, "crowded") >= before + 3
        assert crowd[-1].send(b"T") == 1
    finally:
        for connection in crowd:
            connection.close()


def test_bodies_that_do_not_end_hold_a_bounded_memory(small: RunningService) -> None:
    path = urlsplit(small.group).path
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 700000\r\n\r\n".encode()
    first = connected(small, head + bytes(600_000))
    second = connected(small, head + bytes(600_000))
    try:
        assert b"ended after" in first.recv(65536)
        assert cut_off(small, "request memory") == 1
        second.sendall(bytes(100_000))
        assert b"500 Internal" in second.recv(65536)
    finally:
        first.close()
        second.close()


def test_who_is_late_is_told_and_counted(small: RunningService) -> None:
    with connected(small, b"POST / HTTP/1.1\r\nHost: x\r\n") as connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
    until(lambda: cut_off(small, "header") >= 1, what="a header that was late")
