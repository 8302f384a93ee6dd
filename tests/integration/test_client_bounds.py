"""The client against services as they should not be: every wait ends, every error has words."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.client.resource import Resource
from aggregator.client.security import Authorization, Credentials
from aggregator.client.soap import CallSettings, SoapClient
from aggregator.errors import RemoteError, RemoteFault
from aggregator.wire.dialects import GT4
from aggregator.wire.epr import EndpointReference
from aggregator.wire.parse import Limits
from tests.integration.authority import Authority
from tests.misbehaving import MEGABYTE, MisbehavingServer, misbehaving

NAME = "{http://widgets.com}foo"
PATIENCE = 0.5


@pytest.fixture(scope="module")
def server() -> Iterator[MisbehavingServer]:
    with misbehaving() as running:
        yield running


def ask(url: str, **settings: object) -> str:
    wanted = {"timeout": 20.0, "limits": Limits(size=MEGABYTE), **settings}
    client = SoapClient(CallSettings(**wanted))  # type: ignore[arg-type]
    (value,) = Resource(client, EndpointReference(url), GT4).get_property(NAME)
    return value.text or ""


@pytest.mark.parametrize("path", ["ok", "gzip"])
def test_a_good_reply_is_read(server: MisbehavingServer, path: str) -> None:
    assert ask(f"{server.url}/{path}") == "42"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("drop", "gave no reply: "),
        ("break-off", "gave no reply: "),
        ("garbage", "gave no reply: "),
        ("html", "HTTP 200 with text/html, not with SOAP"),
        ("not-found", "HTTP 404 with text/html, not with SOAP"),
        ("redirect", r"redirect \(HTTP 302\) to '/ok'"),
        ("nothing", "without a message"),
        ("wrong", "answered GetResourceProperty with .*DestroyResponse, not"),
        ("status/503", "HTTP 503 with text/plain"),
        ("big", "more than 1048576 bytes"),
        ("announced", "more than 1048576 bytes"),
        ("bomb", "more than 1048576 bytes"),
    ],
)
def test_what_is_no_reply_is_told_with_the_address(
    server: MisbehavingServer, path: str, told: str
) -> None:
    with pytest.raises(RemoteError, match=told) as caught:
        ask(f"{server.url}/{path}")
    assert f"{server.url}/{path}" in str(caught.value)


def test_a_redirect_is_not_followed(server: MisbehavingServer) -> None:
    server.journal.asked.clear()
    with pytest.raises(RemoteError, match="redirects are not followed"):
        ask(f"{server.url}/redirect")
    assert server.journal.paths() == ["/redirect"]


def test_a_fault_is_told_with_its_name_and_description(server: MisbehavingServer) -> None:
    with pytest.raises(RemoteFault, match="no foo here") as caught:
        ask(f"{server.url}/fault")
    assert caught.value.detail.endswith("}InvalidResourcePropertyQNameFault")


@pytest.mark.parametrize("path", ["hang", "trickle", "slow/20"])
def test_a_slow_service_has_its_time_and_no_more(server: MisbehavingServer, path: str) -> None:
    begun = time.monotonic()
    with pytest.raises(RemoteError, match=r"did not answer within 0\.5 s"):
        ask(f"{server.url}/{path}", timeout=PATIENCE)
    assert time.monotonic() - begun < PATIENCE + 2


class _HeaderTrickle(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        try:
            while not self.server.over.wait(0.05):  # type: ignore[attr-defined]
                self.request.sendall(b"x")
        except OSError:
            pass


def test_headers_that_never_end_have_the_same_time() -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _HeaderTrickle) as server:
        server.over = threading.Event()  # type: ignore[attr-defined]
        serving = threading.Thread(target=server.serve_forever, args=(0.02,))
        serving.start()
        begun = time.monotonic()
        try:
            with pytest.raises(RemoteError, match=r"did not answer within 0\.5 s"):
                ask(f"http://127.0.0.1:{server.server_address[1]}/", timeout=PATIENCE)
            assert time.monotonic() - begun < PATIENCE + 2
        finally:
            server.over.set()  # type: ignore[attr-defined]
            server.shutdown()
            serving.join()


def test_a_deadline_that_has_passed_does_not_spoil_the_next_call(
    server: MisbehavingServer,
) -> None:
    client = SoapClient(CallSettings(timeout=PATIENCE))
    with pytest.raises(RemoteError):
        Resource(client, EndpointReference(f"{server.url}/trickle"), GT4).get_property(NAME)
    time.sleep(PATIENCE)
    (value,) = Resource(client, EndpointReference(f"{server.url}/ok"), GT4).get_property(NAME)
    assert value.text == "42"


def test_one_connection_serves_many_calls_and_threads_have_their_own(
    server: MisbehavingServer,
) -> None:
    client = SoapClient()
    before = server.journal.connections
    resource = Resource(client, EndpointReference(f"{server.url}/ok"), GT4)

    def calls() -> None:
        for _ in range(5):
            resource.get_property(NAME)

    calls()
    assert server.journal.connections == before + 1
    threads = [threading.Thread(target=calls) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.journal.connections == before + 5


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://127.0.0.1:1/x", "Connection refused"),
        ("ftp://127.0.0.1/x", "is no address like"),
        ("http:///x", "is no address like"),
        ("http://[broken/x", "is no address like"),
        ("urn:uuid:1", "is no address like"),
    ],
)
def test_an_address_that_cannot_be_called_is_told(url: str, told: str) -> None:
    with pytest.raises(RemoteError, match=told):
        ask(url)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


def test_only_trusted_servers_are_spoken_to(authority: Authority) -> None:
    pair = authority.issue("index", address="127.0.0.1")
    with misbehaving(authority.server_context(pair)) as server:
        assert ask(f"{server.url}/ok", ca=authority.file) == "42"
        with pytest.raises(RemoteError, match="certificate verify failed"):
            ask(f"{server.url}/ok")
        assert server.journal.paths() == ["/ok"]


def test_a_server_that_asks_for_a_certificate_gets_ours(authority: Authority) -> None:
    pair = authority.issue("index", address="127.0.0.1")
    alice = authority.issue("alice")
    context = authority.server_context(pair, clients=True)
    with misbehaving(context) as server:
        ours = Credentials(alice.cert, alice.key)
        assert ask(f"{server.url}/ok", ca=authority.file, credentials=ours) == "42"
        with pytest.raises(RemoteError, match="gave no reply"):
            ask(f"{server.url}/ok", ca=authority.file)


@pytest.mark.parametrize(
    ("name", "address", "answers"),
    [
        ("index", "127.0.0.1", {"host", "none"}),
        ("elsewhere", "192.0.2.1", {"none"}),
        ("alice", "", {"self", "none"}),
    ],
)
def test_authorization_says_whom_the_server_must_be(
    authority: Authority, name: str, address: str, answers: set[Authorization]
) -> None:
    alice = authority.issue("alice")
    pair = authority.issue(name, address=address, file=f"{name}-server")
    ours = Credentials(alice.cert, alice.key)
    refused: set[Authorization] = {"host", "self", "none"} - answers
    with misbehaving(authority.server_context(pair)) as server:
        settings = {"ca": authority.file, "credentials": ours}
        for mode in answers:
            assert ask(f"{server.url}/ok", authorization=mode, **settings) == "42"
        for mode in refused:
            with pytest.raises(RemoteError, match="certificate"):
                ask(f"{server.url}/ok", authorization=mode, **settings)


def test_nobody_is_trusted_without_an_authority_whatever_he_must_be(authority: Authority) -> None:
    pair = authority.issue("index", address="127.0.0.1")
    with (
        misbehaving(authority.server_context(pair)) as server,
        pytest.raises(RemoteError, match="certificate verify failed"),
    ):
        ask(f"{server.url}/ok", authorization="none")
