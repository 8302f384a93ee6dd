"""The certificate of a broker is verified."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.errors import BrokerUnavailable
from aggregator.events import ResourceLifecycleEventPublisher, configure
from tests import events_kit
from tests.integration.authority import Authority

system = events_kit.system


@contextlib.contextmanager
def greeted(authority: Authority, address: str) -> Iterator[tuple[int, list[bytes]]]:
    """A server with a certificate for an address; what clients begin with once they trust it."""
    pair = authority.issue("broker", address=address)
    heard: list[bytes] = []
    context = authority.server_context(pair)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with (
                    client,
                    contextlib.suppress(OSError),
                    context.wrap_socket(client, server_side=True) as secured,
                ):
                    heard.append(secured.recv(8))

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1], heard
        listener.shutdown(socket.SHUT_RDWR)


def spoken_to(trusted: Authority, port: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """Why publishing to a server failed that says nothing of AMQP."""
    monkeypatch.setenv("SSL_CERT_FILE", trusted.file)
    configure(broker=f"amqps://guest:guest@127.0.0.1:{port}//", timeout=2.0)
    with pytest.raises(BrokerUnavailable) as away:
        ResourceLifecycleEventPublisher(origin="x").create_and_publish_event()
    return str(away.value)


def test_a_broker_that_is_who_it_says_is_spoken_to(
    system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    with greeted(authority, "127.0.0.1") as (port, heard):
        assert "certificate" not in spoken_to(authority, port, monkeypatch)
    assert set(heard) == {b"AMQP\0\0\x09\x01"}


@pytest.mark.parametrize(("trusted", "address"), [("other", "127.0.0.1"), ("own", "127.0.0.9")])
def test_one_that_is_not_is_told_nothing(
    trusted: str, address: str, system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = Authority(tmp_path), Authority(tmp_path, "other")
    with greeted(own, address) as (port, heard):
        said = spoken_to(own if trusted == "own" else other, port, monkeypatch)
    assert "certificate verify failed" in said
    assert heard == []
