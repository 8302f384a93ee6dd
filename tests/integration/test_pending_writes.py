"""Writes that are pending while the store is locked: what becomes of them, and of who asked."""

from __future__ import annotations

import http.client
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests import soap
from tests.service import RunningService, running_service
from tests.waiting import until

CONFIG = "[groups.Plain]\nrequire_source = false\n"
MANY = 20


@contextmanager
def locked(service: RunningService) -> Iterator[None]:
    """The store, with another process in a transaction that writes."""
    with closing(sqlite3.connect(service.data_dir / "aggregator.db")) as connection:
        connection.isolation_level = None
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def group_of(service: RunningService) -> str:
    return f"{service.url}/wsrf/services/Plain"


def ask(service: RunningService, number: int) -> http.client.HTTPConnection:
    """A connection on which an Add was sent; it poses no further question."""
    parts = urlsplit(group_of(service))
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    body = soap.envelope(soap.add_body(f"http://127.0.0.1:1/{number}", "<x:a xmlns:x='urn:x'/>"))
    connection.request("POST", parts.path, body, {"Content-Type": "text/xml"})
    return connection


def status_of(connection: http.client.HTTPConnection) -> int:
    """The status of the answer; the connection is closed."""
    with closing(connection):
        reply = connection.getresponse()
        reply.read()
        return reply.status


def members(service: RunningService) -> set[int]:
    """The numbers of the members that are registered."""
    found = soap.entries(group_of(service))
    addresses = [entry.findtext("{*}MemberServiceEPR/{*}Address") or "" for entry in found]
    return {int(address.rpartition("/")[2]) for address in addresses}


def test_who_leaves_while_a_write_is_pending_takes_nobody_along(tmp_path: Path) -> None:
    with running_service(tmp_path / "service", config=CONFIG) as service:
        before = members(service)
        with locked(service):
            connections = [ask(service, number) for number in range(MANY)]
            time.sleep(0.5)
            for connection in connections[::2]:
                connection.close()
            # Reads go on beside them.
            assert members(service) == before == set()
        assert [status_of(connection) for connection in connections[1::2]] == [200] * (MANY // 2)
        # Who left had asked, and was not refused: each Add was done as a whole, or not at all.
        assert set(range(1, MANY, 2)) <= members(service) <= set(range(MANY))
        assert "Traceback" not in service.logs()


def test_a_pending_write_is_answered_by_a_worker_that_is_told_to_end(tmp_path: Path) -> None:
    with running_service(tmp_path / "service", config=CONFIG) as service:
        with locked(service):
            connections = [ask(service, number) for number in range(MANY)]
            time.sleep(0.5)
            service.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
        assert [status_of(connection) for connection in connections] == [200] * MANY
        assert service.process.wait(20) == 0
        assert "Traceback" not in service.logs()
    with running_service(tmp_path / "service", config=CONFIG) as service:
        assert members(service) == set(range(MANY))


def test_a_pending_write_is_taken_back_in_time_and_the_connection_goes_on(tmp_path: Path) -> None:
    config = CONFIG + "[store]\nbusy_timeout = 1\nwrite_timeout = 1\n"
    with running_service(tmp_path / "service", config=config) as service:
        with locked(service):
            began = time.monotonic()
            connection = ask(service, 1)
            reply = connection.getresponse()
            assert reply.status == 500
            assert b"ResourceUnavailableFault" in reply.read()
            assert 0.5 < time.monotonic() - began < 10
        body = soap.envelope(soap.add_body("http://127.0.0.1:1/2", "<x:a xmlns:x='urn:x'/>"))

        def is_taken() -> bool:
            path = urlsplit(group_of(service)).path
            connection.request("POST", path, body, {"Content-Type": "text/xml"})
            answer = connection.getresponse()
            answer.read()
            return answer.status == 200

        assert until(is_taken)
        assert members(service) == {2}
        connection.close()
