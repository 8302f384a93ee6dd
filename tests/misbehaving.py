"""Members as they should not be: an HTTP server whose every path has its own fault.

It runs in threads of the test's process, speaks HTTP by hand so that it can break it, and notes
what it was sent.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import socketserver
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from aggregator.wire.dialects import DIALECTS
from aggregator.wire.envelope import SOAP11, write_envelope

VALUE = b'<w:foo xmlns:w="http://widgets.com">42</w:foo>'
MEGABYTE = 2**20


@dataclass(slots=True, eq=False)
class Asked:
    """A request that came in."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class Journal:
    """What happened at the server: requests, connections, bytes of bodies that were sent."""

    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0
    sent: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def paths(self) -> list[str]:
        """The paths asked for, in order."""
        return [asked.path for asked in self.asked]

    def count(self, path: str) -> int:
        """How often a path was asked for."""
        return self.paths().count(path)


def response(body: bytes, *, dialect: str = "gt4", operation: str = "GetResourceProperty") -> bytes:
    """The SOAP reply of an operation around `body`."""
    namespace = DIALECTS[dialect].rp
    inner = f'<r:{operation}Response xmlns:r="{namespace}">'.encode() + body
    return write_envelope(SOAP11, inner + f"</r:{operation}Response>".encode())


def fault(text: str, detail: str = "") -> bytes:
    """A SOAP 1.1 fault."""
    held = f"<detail>{detail}</detail>" if detail else ""
    inner = f"<soapenv:Fault><faultcode>soapenv:Server</faultcode><faultstring>{text}</faultstring>"
    return write_envelope(SOAP11, f"{inner}{held}</soapenv:Fault>".encode())


class _Handler(socketserver.BaseRequestHandler):
    server: MisbehavingServer

    def handle(self) -> None:
        journal = self.server.journal
        with journal.lock:
            journal.connections += 1
            journal.at_once += 1
            journal.most_at_once = max(journal.most_at_once, journal.at_once)
        try:
            self.request.settimeout(30)
            with contextlib.suppress(OSError), self.request.makefile("rb") as stream:
                while self._serve(stream):
                    pass
        finally:
            with journal.lock:
                journal.at_once -= 1

    def _serve(self, stream: object) -> bool:
        asked = _read(stream)
        if asked is None:
            return False
        self.server.journal.asked.append(asked)
        name = asked.path.strip("/").partition("?")[0].partition("/")[0].replace("-", "_")
        return bool(getattr(self, f"do_{name}")(asked))

    def _answer(
        self, body: bytes, *, status: str = "200 OK", media: str = "text/xml", more: str = ""
    ) -> bool:
        head = f"HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n"
        self.request.sendall(f"{head}{more}\r\n".encode() + body)
        return True

    def do_ok(self, asked: Asked) -> bool:
        return self._answer(response(VALUE))

    def do_slow(self, asked: Asked) -> bool:
        time.sleep(float(asked.path.rpartition("/")[2]))
        return self._answer(response(VALUE))

    def do_number(self, asked: Asked) -> bool:
        """Answer a while later with how many requests there had been before this one."""
        number = self.server.journal.asked.index(asked)
        time.sleep(0.3)
        return self._answer(response(VALUE.replace(b"42", b"%d" % number)))

    def do_only(self, asked: Asked) -> bool:
        """Speak the dialect that the path ends with, and no other."""
        dialect = DIALECTS[asked.path.rpartition("/")[2]]
        action = asked.headers.get("soapaction", "").strip('"')
        known = dialect.name != "wsrf-lite" or "#" in action
        if dialect.rp.encode() in asked.body and known:
            return self._answer(response(VALUE, dialect=dialect.name))
        return self._answer(fault("No such operation"), status="500 Internal Server Error")

    def do_later(self, asked: Asked) -> bool:
        """Do well until the server turns, then as the rest of the path says."""
        if not self.server.turned.is_set():
            return self.do_ok(asked)
        name = asked.path.removeprefix("/later/").replace("-", "_")
        return bool(getattr(self, f"do_{name}")(asked))

    def do_hang(self, asked: Asked) -> bool:
        self.server.ended.wait(30)
        return False

    def do_drop(self, asked: Asked) -> bool:
        linger = struct.pack("ii", 1, 0)
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return False

    def do_break_off(self, asked: Asked) -> bool:
        self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<half")
        return False

    def do_html(self, asked: Asked) -> bool:
        return self._answer(b"<html><body><p>Welcome!</body></html>", media="text/html")

    def do_not_found(self, asked: Asked) -> bool:
        return self._answer(b"<html>no</html>", status="404 Not Found", media="text/html")

    def do_redirect(self, asked: Asked) -> bool:
        return self._answer(b"", status="302 Found", more="Location: /ok\r\n")

    def do_fault(self, asked: Asked) -> bool:
        """A fault that only a service of the draft dialect gives."""
        rp, bf = DIALECTS["gt4"].rp, DIALECTS["gt4"].bf
        name = "InvalidResourcePropertyQNameFault"
        detail = (
            f'<f:{name} xmlns:f="{rp}"><b:Timestamp xmlns:b="{bf}">2026-01-01T00:00:00Z'
            f'</b:Timestamp><b:Description xmlns:b="{bf}">no foo here</b:Description></f:{name}>'
        )
        return self._answer(fault("no such property", detail), status="500 Internal Server Error")

    def do_plain_fault(self, asked: Asked) -> bool:
        return self._answer(fault("out of coffee"), status="500 Internal Server Error")

    def do_wrong(self, asked: Asked) -> bool:
        return self._answer(response(VALUE, operation="Destroy"))

    def do_nothing(self, asked: Asked) -> bool:
        return self._answer(b"")

    def do_garbage(self, asked: Asked) -> bool:
        self.request.sendall(b"220 mail.example.org ESMTP\r\n" * 10)
        return False

    def do_big(self, asked: Asked) -> bool:
        """Fifty megabytes, of unknown length beforehand."""
        self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n")
        for _ in range(50):
            self.request.sendall(b"x" * MEGABYTE)
            self.server.journal.sent += MEGABYTE
        return False

    def do_announced(self, asked: Asked) -> bool:
        return self._answer(b"x" * 50 * MEGABYTE)

    def do_bomb(self, asked: Asked) -> bool:
        packed = gzip.compress(b"\0" * 100 * MEGABYTE, 1)
        return self._answer(packed, more="Content-Encoding: gzip\r\n")

    def do_gzip(self, asked: Asked) -> bool:
        packed = gzip.compress(response(VALUE))
        return self._answer(packed, more="Content-Encoding: gzip\r\n")

    def do_trickle(self, asked: Asked) -> bool:
        self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not self.server.ended.wait(0.1):
            self.request.sendall(b" ")
        return False

    def do_status(self, asked: Asked) -> bool:
        return self._answer(
            b"busy", status=f"{asked.path.rpartition('/')[2]} So", media="text/plain"
        )


def _read(stream: object) -> Asked | None:
    line = stream.readline().decode("latin-1").split()  # type: ignore[attr-defined]
    if len(line) != 3:
        return None
    headers: dict[str, str] = {}
    while (header := stream.readline().decode("latin-1").strip()) != "":  # type: ignore[attr-defined]
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))  # type: ignore[attr-defined]
    return Asked(line[1], headers, body)


class MisbehavingServer(socketserver.ThreadingTCPServer):
    """See the module; `url` has no slash at its end."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tls = tls
        self.journal = Journal()
        self.ended = threading.Event()
        self.turned = threading.Event()

    @property
    def url(self) -> str:
        scheme = "https" if self.tls else "http"
        return f"{scheme}://127.0.0.1:{self.server_address[1]}"

    def get_request(self) -> tuple[socket.socket, object]:
        request, address = super().get_request()
        if self.tls is not None:
            request = self.tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        return request, address

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that give up are what this server is for."""


@contextlib.contextmanager
def misbehaving(tls: ssl.SSLContext | None = None) -> Iterator[MisbehavingServer]:
    """A server that runs as long as the block."""
    server = MisbehavingServer(tls)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
