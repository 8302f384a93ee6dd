"""Whether the client of a connection has left, by sockets that are real."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from aggregator.run.connection import Connection


@pytest.fixture
def ends() -> Iterator[tuple[Connection, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, address = listener.accept()
    connection = Connection(accepted, client=address, server=address, most_body=100)
    yield connection, client
    client.close()
    accepted.close()


def test_who_is_there_has_not_left(ends: tuple[Connection, socket.socket]) -> None:
    connection, client = ends
    assert not connection.has_left()
    client.sendall(b"the next request")
    assert not connection.has_left()


@pytest.mark.parametrize("unread", [b"", b"close_notify of TLS, or a request"])
@pytest.mark.parametrize("half", [True, False])
def test_who_closes_has(
    ends: tuple[Connection, socket.socket], unread: bytes, *, half: bool
) -> None:
    connection, client = ends
    client.sendall(unread)
    if half:
        client.shutdown(socket.SHUT_WR)
    else:
        client.close()
    assert connection.has_left()
    connection.sock.close()
    assert connection.has_left()
