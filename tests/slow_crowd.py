"""Two hundred senders that stop and two hundred readers that crawl, in a process of their own.

    python -m tests.slow_crowd URL SENDERS READERS

It prints ``connecting``, then ``connected`` once all have said what they will say, and goes on
until its standard input ends: it connects those again that were sent away. Its end is a line with
how many were.
"""

from __future__ import annotations

import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from urllib.parse import urlsplit

from tests import soap

#: What a crawling reader takes at a time, and how long it then waits, in seconds.
_BITE, _PAUSE = 512, 0.25


def whole_request(path: str) -> bytes:
    """One for all entries of a group."""
    rp, sg = soap.NS["oasis"]["rp"], soap.NS["oasis"]["sg"]
    body = soap.envelope(
        f'<rp:GetResourceProperty xmlns:rp="{rp}" xmlns:sg="{sg}">sg:Entry</rp:GetResourceProperty>'
    )
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def beginnings(path: str) -> Iterator[bytes]:
    """Requests that stop anywhere in header or body, for ever."""
    request = whole_request(path)
    chunked = request.partition(b"\r\n\r\n")[0].rpartition(b"\r\n")[0]
    chunked += b"\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n<s:Envelope"
    header = request.index(b"\r\n\r\n") + 4
    big = request.replace(b"Content-Length: ", b"Content-Length: 10")
    cuts = (0, 1, 10, header // 2, header - 1, header, header + 1, header + 50, len(request) - 1)
    return cycle([*(request[:cut] for cut in cuts), chunked, big])


class Crowd:
    """The connections; those that were ended are opened again."""

    def __init__(self, url: str, *, senders: int, readers: int) -> None:
        parts = urlsplit(url)
        self._address = parts.hostname or "", parts.port or 80
        self._selector = selectors.DefaultSelector()
        self._beginnings = beginnings(parts.path)
        self._request = whole_request(parts.path)
        self._senders, self._readers = senders, readers
        self._crawling: list[socket.socket] = []
        self.ended = 0

    def gather(self) -> None:
        """Open all connections."""
        for _ in range(self._senders):
            self._open_sender()
        for _ in range(self._readers):
            self._open_reader()

    def stay(self) -> None:
        """Crawl on until standard input ends."""
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            ends = time.monotonic() + _PAUSE
            while (left := ends - time.monotonic()) > 0:
                for key, _ in self._selector.select(left):
                    if key.fileobj is sys.stdin:
                        return
                    self._look_after(key.fileobj)  # type: ignore[arg-type]
            for reader in list(self._crawling):
                self._take_a_bite(reader)

    def _open_sender(self) -> None:
        connection = socket.create_connection(self._address, timeout=30)
        connection.sendall(next(self._beginnings))
        self._selector.register(connection, selectors.EVENT_READ)

    def _open_reader(self) -> None:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        connection.connect(self._address)
        connection.sendall(self._request)
        connection.setblocking(False)
        self._crawling.append(connection)

    def _look_after(self, sender: socket.socket) -> None:
        with suppress(OSError):
            if sender.recv(65536):
                return
        self._selector.unregister(sender)
        sender.close()
        self.ended += 1
        self._open_sender()

    def _take_a_bite(self, reader: socket.socket) -> None:
        try:
            if reader.recv(_BITE):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._crawling.remove(reader)
        reader.close()
        self.ended += 1
        self._open_reader()


@contextmanager
def slow_crowd(url: str, *, senders: int, readers: int) -> Iterator[subprocess.Popen[str]]:
    """A crowd in a process of its own, which has begun to connect and tells when it has."""
    command = [sys.executable, "-m", "tests.slow_crowd", url, str(senders), str(readers)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "connecting\n"
            yield process
        finally:
            process.stdin.close()
            process.wait(20)


def main() -> None:
    """Gather, and stay."""
    url, senders, readers = sys.argv[1:]
    crowd = Crowd(url, senders=int(senders), readers=int(readers))
    print("connecting", flush=True)
    crowd.gather()
    print("connected", flush=True)
    crowd.stay()
    print(crowd.ended, flush=True)


if __name__ == "__main__":
    main()
