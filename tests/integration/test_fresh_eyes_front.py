"""What a reader found in the front of the web worker: ends and resets at the wrong moment."""

from __future__ import annotations

import fcntl
import http.client
import signal
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests import soap
from tests.integration.processes import workers
from tests.integration.tls_kit import secured_service
from tests.service import RunningService, running_service
from tests.waiting import until

RESET = struct.pack("ii", 1, 0)


def test_clients_that_reset_before_the_handshake_end_no_worker(tmp_path: Path) -> None:
    config = "[server]\nworkers = 1\nconnections = 20\n"
    with secured_service(tmp_path, config=config, clients=False) as secured:
        before = set(workers(secured.service))
        for _ in range(200):
            connection = socket.create_connection(secured.address, timeout=10)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            connection.close()
        for _ in range(3):
            assert secured.get("/healthz")
        assert set(workers(secured.service)) == before
        assert "Traceback" not in secured.service.logs()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_that_waits_for_the_store_is_answered_at_the_end(
    tmp_path: Path, number: signal.Signals
) -> None:
    """It takes longer than silent clients are given at the end of a worker."""
    with running_service(tmp_path) as service, ThreadPoolExecutor(1) as pool:
        with (tmp_path / "aggregator.db.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            body = soap.add_body("http://127.0.0.1:1/late")
            adding = pool.submit(soap.call, service.group, body)
            time.sleep(0.5)
            if number == signal.SIGHUP:
                # The check before a reload would wait for the lock too.
                for role in psutil.Process(service.process.pid).children():
                    if role.name() == "mds-web":
                        role.send_signal(signal.SIGHUP)
            else:
                service.process.send_signal(number)
            time.sleep(3)
        assert adding.result(20).status == 200
        assert "Traceback" not in service.logs()


def test_a_client_that_keeps_its_connection_holds_up_no_end(tmp_path: Path) -> None:
    """Not even one whose request was under way when the end began."""
    with running_service(tmp_path) as service:
        parts = urlsplit(service.group)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        body = soap.envelope(soap.add_body("http://127.0.0.1:1/kept"))
        with (tmp_path / "aggregator.db.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            connection.request("POST", parts.path, body, {"Content-Type": "text/xml"})
            time.sleep(0.5)
            began = time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
        assert connection.getresponse().read()
        assert service.process.wait(15) == 0
        assert time.monotonic() - began < 6
        connection.close()


IMPATIENT = "[server]\nworkers = 1\nheader_timeout = 20\nrequest_memory = '1MiB'\n"


def test_the_rest_behind_a_request_counts_for_itself_alone(tmp_path: Path) -> None:
    """A large request with the beginning of the next behind it leaves room for others."""
    with running_service(tmp_path, config=IMPATIENT) as service:
        parts = urlsplit(service.group)
        content = soap.envelope(f"<x:y xmlns:x='urn:x'>{'z' * 800_000}</x:y>")
        head = f"POST {parts.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(content)}\r\n\r\n"
        held = []
        for _ in range(3):
            connection = socket.create_connection((parts.hostname or "", parts.port), timeout=20)
            connection.sendall(head.encode() + content[:-1])
            time.sleep(0.3)
            connection.sendall(content[-1:] + b"P")
            answer = connection.recv(65536)
            assert b"urn:x" in answer, answer
            held.append(connection)
            # What a request held is given back after its reply, at the front's next turn.
            time.sleep(0.3)
        slow = socket.create_connection((parts.hostname or "", parts.port), timeout=20)
        slow.sendall(head.encode() + content[:-1])
        time.sleep(0.5)
        slow.sendall(content[-1:])
        answer = slow.recv(65536)
        assert b"urn:x" in answer, answer
        for connection in (*held, slow):
            connection.close()


def test_who_waits_for_our_word_behind_another_request_hears_it(service: RunningService) -> None:
    parts = urlsplit(service.group)
    body = soap.envelope(soap.add_body("http://127.0.0.1:1/expecting"))
    first = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n"
        f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection((parts.hostname or "", parts.port), timeout=20) as connection:
        connection.sendall(first + head.encode())
        heard = b""

        def hears_it() -> bool:
            nonlocal heard
            heard += connection.recv(65536)
            return b"HTTP/1.1 100 Continue" in heard

        until(hears_it, within=20, what="a word to go on")
        connection.sendall(body)
        until(lambda: b"AddResponse" in connection.recv(65536), within=20, what="an answer")
    assert heard.startswith(b"HTTP/1.1 200")
    shown = ["".join(entry.itertext()) for entry in soap.entries(service.group)]
    assert len([text for text in shown if "127.0.0.1:1/expecting" in text]) == 1
