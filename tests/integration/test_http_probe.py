"""The http probe against servers of all sorts on this machine."""

from __future__ import annotations

import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from aggregator.collect.probes import ProbeFolder, shipped_folder

NAMESPACE = "{urn:mds-aggregator:http}"
NOW = datetime.now(UTC).replace(microsecond=0)


class Handler(BaseHTTPRequestHandler):
    """Answers as the path asks."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append((self.command, self.path))  # type: ignore[attr-defined]
        if self.path == "/slow-head":
            time.sleep(0.3)
        elif self.path == "/trickle":
            self.trickle()
            return
        elif self.path == "/no-http":
            self.wfile.write(b"SSH-2.0-OpenSSH\r\n")
            self.close_connection = True
            return
        self.send_response(302 if self.path == "/moved" else 404 if self.path == "/none" else 200)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "5")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(b"hello")

    do_HEAD = do_GET

    def trickle(self) -> None:
        try:
            for byte in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100:
                self.wfile.write(bytes([byte]))
                time.sleep(0.1)
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@contextmanager
def serving(context: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """The port of a server and the requests that it saw."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.seen = []  # type: ignore[attr-defined]
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1], server.seen  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def probe(address: str, *options: str, env: dict[str, str] | None = None) -> ET.Element:
    """What the probe prints of an address."""
    folder = ProbeFolder(shipped_folder())
    found = folder.resolve("http")
    done = subprocess.run(
        (*found.command(address), *options),
        env=folder.environment(found, extra=env),
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    root = ET.fromstring(done.stdout)
    assert (root.tag, root.get("address")) == (f"{NAMESPACE}Http", address)
    return root


def part(root: ET.Element, name: str) -> ET.Element:
    found = root.find(f"{NAMESPACE}{name}")
    assert found is not None, f"no {name} in {ET.tostring(root)!r}"
    return found


def seconds(root: ET.Element) -> dict[str, float]:
    return {name: float(text) for name, text in part(root, "Seconds").items()}


def test_status_and_timing_of_a_member_that_answers() -> None:
    with serving() as (port, seen):
        root = probe(f"http://127.0.0.1:{port}/slow-head?a=b#c")
        assert seen == [("GET", "/slow-head?a=b")]
        slow = probe(f"http://127.0.0.1:{port}/slow-head")
    assert part(root, "Status").attrib == {"code": "200", "reason": "OK", "bytes": "5"}
    times = seconds(slow)
    assert set(times) == {"connect", "firstByte", "total"}
    assert times["connect"] < 0.3 <= times["firstByte"] <= times["total"] < 10
    assert root.find(f"{NAMESPACE}Certificate") is None


def test_other_statuses_are_told_and_no_redirect_is_followed() -> None:
    with serving() as (port, seen):
        for path, code in (("/moved", "302"), ("/none", "404")):
            assert part(probe(f"http://127.0.0.1:{port}{path}"), "Status").get("code") == code
        assert seen == [("GET", "/moved"), ("GET", "/none")]


def test_head_fetches_no_body() -> None:
    with serving() as (port, seen):
        root = probe(f"http://127.0.0.1:{port}", "--method", "HEAD")
        assert seen == [("HEAD", "/")]
    assert part(root, "Status").get("bytes") == "0"


def test_a_member_that_is_away_is_a_result() -> None:
    with serving() as (port, _):
        pass
    failure = part(probe(f"http://127.0.0.1:{port}/"), "Failure")
    assert (failure.get("stage"), failure.text) == ("connect", "Connection refused")


def test_a_member_that_trickles_ends_at_the_time_limit() -> None:
    with serving() as (port, _):
        began = time.monotonic()
        root = probe(f"http://127.0.0.1:{port}/trickle", "--timeout", "1")
        assert time.monotonic() - began < 8
    failure = part(root, "Failure")
    assert (failure.get("stage"), failure.text) == ("response", "no answer within the time limit")
    assert set(seconds(root)) == {"connect"}


def test_a_member_that_speaks_something_else_is_a_result() -> None:
    with serving() as (port, _):
        assert "no HTTP reply" in (
            part(probe(f"http://127.0.0.1:{port}/no-http"), "Failure").text or ""
        )
        failure = part(probe(f"https://127.0.0.1:{port}/"), "Failure")
        assert failure.get("stage") == "tls"


def certificate(folder: Path, *, begins: datetime, ends: datetime) -> Path:
    """A PEM file of a key and a certificate that it signed itself, for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "certificate.pem"
    path.write_bytes(made.public_bytes(Encoding.PEM) + private)
    return path


@pytest.mark.parametrize(
    ("begins", "ends", "trusted", "trouble"),
    [
        (NOW - timedelta(1), NOW + timedelta(90), True, ""),
        (NOW - timedelta(1), datetime(2051, 2, 3, 4, 5, 6, tzinfo=UTC), True, ""),
        (NOW - timedelta(1), NOW + timedelta(90), False, "self-signed certificate"),
        (NOW - timedelta(90), NOW - timedelta(1), True, "certificate has expired"),
    ],
)
def test_the_validity_of_a_certificate_is_told_whatever_it_is_worth(
    tmp_path: Path, begins: datetime, ends: datetime, trusted: bool, trouble: str
) -> None:
    pem = certificate(tmp_path, begins=begins, ends=ends)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    (tmp_path / "empty").mkdir()
    env = {
        "SSL_CERT_FILE": str(pem) if trusted else "/dev/null",
        "SSL_CERT_DIR": str(tmp_path / "empty"),
    }
    with serving(context) as (port, _):
        root = probe(f"https://127.0.0.1:{port}/", env=env)
    assert part(root, "Status").get("code") == "200"
    told = part(root, "Certificate").attrib
    form = "%Y-%m-%dT%H:%M:%SZ"
    assert told["notBefore"] == begins.strftime(form)
    assert told["notAfter"] == ends.strftime(form)
    assert told["verified"] == ("false" if trouble else "true")
    assert told.get("trouble", "") == trouble
    assert set(seconds(root)) == {"connect", "tls", "firstByte", "total"}
