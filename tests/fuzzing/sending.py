"""A case as bytes on a connection of its own, and the answer that came."""

from __future__ import annotations

import gzip
import http.client
import socket
from urllib.parse import urlsplit

from tests.fuzzing.case import Case
from tests.soap import Answer

#: Seconds without a byte of the reply; a query may take its time.
PATIENCE = 30
_CHUNK = 1000


def request_bytes(case: Case) -> bytes:
    """All that is sent for a case whose placeholders are filled in."""
    content = case.content
    if case.framing == "raw":
        return content
    given = {name.lower() for name, _ in case.headers}
    headers = list(case.headers)
    if "host" not in given:
        headers.append(("Host", "127.0.0.1"))
    if "connection" not in given:
        headers.append(("Connection", "close"))
    length = len(content)
    announced = {"length": length, "short": max(0, length - 20), "long": length + 20}
    if case.framing in announced:
        headers.append(("Content-Length", str(announced[case.framing])))
    elif case.framing == "chunked":
        headers.append(("Transfer-Encoding", "chunked"))
        pieces = [content[at : at + _CHUNK] for at in range(0, length, _CHUNK)]
        content = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        content += b"0\r\n\r\n"
    lines = [
        f"{case.method} {case.target} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + content


def send(url: str, case: Case) -> Answer | None:
    """Send a case; None where the connection ended without an answer."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 80), PATIENCE) as connection:
        try:
            connection.sendall(request_bytes(case))
            if case.framing not in ("length", "chunked"):
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            # Who is refused early may find the door closed, with the answer in front of it.
            pass
        return _answer(connection, case.method)


def _answer(connection: socket.socket, method: str) -> Answer | None:
    reply = http.client.HTTPResponse(connection, method=method.upper())
    try:
        reply.begin()
        content = reply.read()
    except (http.client.BadStatusLine, ConnectionError):
        return None
    finally:
        reply.close()
    headers = {name.lower(): value for name, value in reply.getheaders()}
    if headers.get("content-encoding") == "gzip":
        content = gzip.decompress(content)
    return Answer(reply.status, headers, content)
