"""https on real processes: certificates of both sides, clients that break off, renewal."""

from __future__ import annotations

import contextlib
import http.client
import re
import signal
import socket
import ssl
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from tests import soap
from tests.counting import sum_of
from tests.integration.commands import block, run, write_registrations
from tests.integration.tls_kit import LONG_AGO, Secured, secured_service
from tests.service import MANY_GROUPS, running_service
from tests.waiting import until

MEMBER = "http://127.0.0.1:1/member"
ONE_EACH = "[groups.OneEach]\nsinks = ['index']\nmax_entries_per_caller = 1\n"
#: Few threads, so that a client that keeps one is noticed.
FEW = "[server]\nworkers = 1\nthreads = 4\nheader_timeout = 2.0\nbody_timeout = 2.0\n"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A service over https that asks for client certificates, for all tests of the module."""
    folder: Path = tmp_path_factory.mktemp("tls")
    authority = folder / "authority.pem"
    config = f"{FEW}[collect]\nca_file = '{authority}'\n{ONE_EACH}{MANY_GROUPS}"
    with secured_service(folder, config=config) as running:
        yield running


@pytest.fixture
def group(secured: Secured) -> str:
    """A group that no other test uses."""
    return secured.service.next_group()


def test_pages_and_addresses_are_https(secured: Secured) -> None:
    assert '"alive"' in secured.get("/healthz")
    wsdl = secured.get("/wsrf/services/DefaultIndexService?wsdl")
    assert f'location="{secured.service.url}/wsrf/services/DefaultIndexService"' in wsdl
    named = re.findall(r'schemaLocation="([^"]+)"', wsdl)
    assert named
    assert all(address.startswith(secured.service.url) for address in named)


@pytest.mark.parametrize("family", ["gt4", "oasis"])
def test_a_registration_over_https(secured: Secured, group: str, family: soap.Family) -> None:
    added = soap.entry_of(secured.call(group, soap.add_body(MEMBER, family=family)), family)
    assert added.address.startswith(f"{group}Entry/")
    assert added.address.startswith("https://")
    body = f'<rl:Destroy xmlns:rl="{soap.NS[family]["rl"]}"/>'
    sent = soap.envelope(body, header=added.header)
    assert soap.post(added.address, sent, context=secured.context()).status == 200


def test_the_subject_of_a_client_owns_what_it_registers(secured: Secured, group: str) -> None:
    ada = secured.authority.issue("Ada Lovelace", organisation="Grid/Engine", file="ada")
    entry = soap.entry_of(secured.call(group, soap.add_body(MEMBER), ada))
    assert secured.owner(entry.key) == r"/O=Grid\/Engine/CN=Ada Lovelace"
    unnamed = soap.entry_of(secured.call(group, soap.add_body(MEMBER)))
    assert secured.owner(unnamed.key) == "address:127.0.0.1"


def test_entries_are_counted_for_each_subject(secured: Secured) -> None:
    group = f"{secured.service.url}/wsrf/services/OneEach"
    callers = [secured.authority.issue("alice"), secured.authority.issue("bob"), None]
    for caller, name in zip(callers, ("/CN=alice", "/CN=bob", "address:127.0.0.1"), strict=True):
        assert secured.call(group, soap.add_body(MEMBER), caller).status == 200
        refused = secured.call(group, soap.add_body(MEMBER), caller)
        assert refused.fault[0] == "AddRefusedFault"
        assert f"{name} has 1 entries" in refused.fault[1]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("wrong", ["of another authority", "expired"])
def test_a_certificate_that_can_not_be_verified_ends_the_handshake(
    secured: Secured, group: str, wrong: str, version: ssl.TLSVersion
) -> None:
    if wrong == "expired":
        pair = secured.authority.issue("late", file="late", end=LONG_AGO)
    else:
        pair = secured.strangers.issue("mallory", file="mallory")
    context = secured.context(pair)
    context.minimum_version = context.maximum_version = version
    told = len(secured.service.logs())
    # By TLS 1.3 a client may have sent its request before it hears of the refusal.
    with pytest.raises(ssl.SSLError, match="ALERT"):
        soap.post(group, soap.envelope(soap.add_body(MEMBER)), context=context)
    until(lambda: "a TLS handshake failed" in secured.service.logs()[told:], what="told in the log")
    detail = "certificate has expired" if wrong == "expired" else "unable to get local issuer"
    assert detail in secured.service.logs()[told:]
    body = f'<rp:GetResourceProperty xmlns:rp="{soap.NS["oasis"]["rp"]}" '
    body += f'xmlns:sg="{soap.NS["oasis"]["sg"]}">sg:Entry</rp:GetResourceProperty>'
    assert len(secured.call(group, body).body) == 0


def test_versions_before_1_2_are_refused(secured: Secured) -> None:
    context = secured.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(secured.address, timeout=10) as connection,
        pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"),
    ):
        context.wrap_socket(connection, server_hostname="127.0.0.1")


def test_a_connection_serves_many_requests_large_ones_too(secured: Secured, group: str) -> None:
    """Records of TLS that are half read must not be waited for in the socket."""
    connection = http.client.HTTPSConnection(
        *secured.address, timeout=15, context=secured.context()
    )
    filler = soap.IDLE.replace("<agg:PollInt", f"<!--{'x' * 300_000}--><agg:PollInt", 1)
    path = group.removeprefix(secured.service.url)
    with contextlib.closing(connection):
        for number in range(5):
            body = soap.add_body(f"http://127.0.0.1:1/{number}", filler)
            connection.request("POST", path, soap.envelope(body), {"Content-Type": "text/xml"})
            reply = connection.getresponse()
            assert reply.status == 200
            reply.read()
        local = connection.sock.getsockname()
        body = f'<rp:GetResourcePropertyDocument xmlns:rp="{soap.NS["oasis"]["rp"]}"/>'
        connection.request("POST", path, soap.envelope(body), {"Content-Type": "text/xml"})
        content = connection.getresponse().read()
        assert connection.sock.getsockname() == local
    assert len(content) > 1_500_000
    etree.fromstring(content, etree.XMLParser(huge_tree=True))


def test_the_commands_over_https(secured: Secured, group: str, tmp_path: Path) -> None:
    alice = secured.authority.issue("alice", file="alice-again")
    trusting = ["--ca", secured.authority.file]
    file = write_registrations(tmp_path, block(MEMBER, group=group))
    registered = run(
        "mds-servicegroup-add", "--once", "--cert", alice.cert, "--key", alice.key, *trusting, file
    )
    assert registered.status == 0, registered.err
    asked = run("wsrf-query", "-a", *trusting, "-s", group, "count(//*[local-name()='Entry'])")
    assert (asked.status, asked.out.strip()) == (0, "1"), asked.err
    listed = run("aggregator", "entries", *trusting, "--output", "json", group)
    key = re.search(r'"entry": "([0-9a-f]+)"', listed.out)
    assert key, listed.out
    assert secured.owner(key[1]) == "/CN=alice"
    distrusting = run("wsrf-query", "-a", "-s", group, "count(//*)")
    assert distrusting.status == 1
    assert "certificate verify failed" in distrusting.err.lower()


def test_plain_http_is_told_to_speak_https(secured: Secured) -> None:
    with socket.create_connection(secured.address, timeout=10) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        reply = b""
        while piece := connection.recv(65536):
            reply += piece
    assert reply.startswith(b"HTTP/1.1 400 ")
    assert reply.endswith(b"this port speaks https: write https:// in the address\n")


def test_clients_that_stop_in_the_handshake_stop_nobody(secured: Secured) -> None:
    """Five times as many as the worker has threads: half silent, half after a first byte."""
    limit = {"name": "aggregator_connections_ended_total", "limit": "handshake"}
    before = sum_of(secured.get("/metrics"), **limit)
    with contextlib.ExitStack() as stopped:
        connections = [
            stopped.enter_context(socket.create_connection(secured.address, timeout=10))
            for _ in range(20)
        ]
        for connection in connections[::2]:
            connection.sendall(b"\x16\x03\x01")
        time.sleep(0.3)
        for _ in range(3):
            began = time.monotonic()
            assert '"alive"' in secured.get("/healthz")
            # Less than any of those that stopped is given.
            assert time.monotonic() - began < 1.5
        for connection in connections:
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(1) == b""
        assert sum_of(secured.get("/metrics"), **limit) == before + 20


def test_a_stopping_client_of_an_answered_request_stops_nobody(secured: Secured) -> None:
    """It asked for the connection's end and does not see to it."""
    with contextlib.ExitStack() as held:
        for _ in range(5):
            plain = held.enter_context(socket.create_connection(secured.address, timeout=10))
            wrapped = held.enter_context(
                secured.context().wrap_socket(plain, server_hostname="127.0.0.1")
            )
            wrapped.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        time.sleep(0.3)
        began = time.monotonic()
        assert '"alive"' in secured.get("/healthz")
        assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    ("sent", "told"), [("Host: x\r\n", b""), ("Content-Length: 500\r\n\r\n<x", b"after 2 of 500")]
)
def test_what_never_ends_inside_of_tls_is_ended(
    secured: Secured, group: str, sent: str, told: bytes
) -> None:
    path = group.removeprefix(secured.service.url)
    with (
        socket.create_connection(secured.address, timeout=10) as plain,
        secured.context().wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(f"POST {path} HTTP/1.1\r\n{sent}".encode())
        reply = b""
        while piece := connection.recv(65536):
            reply += piece
        assert told in reply


def test_sighup_fails_no_request_and_renews_the_certificate(tmp_path: Path) -> None:
    with secured_service(tmp_path, config="", clients=False) as secured:
        old = ssl.get_server_certificate(secured.address)
        secured.authority.issue("server", address="127.0.0.1")
        assert ssl.get_server_certificate(secured.address) == old
        secured.service.process.send_signal(signal.SIGHUP)

        def renewed() -> bool:
            assert '"alive"' in secured.get("/healthz")
            return ssl.get_server_certificate(secured.address) != old

        until(renewed, what="the new certificate")
        # Nobody is asked for a certificate here, and who shows one is nobody by it.
        pair = secured.strangers.issue("anyone", file="anyone")
        group = secured.service.group
        entry = soap.entry_of(secured.call(group, soap.add_body(MEMBER), pair))
        assert secured.owner(entry.key) == "address:127.0.0.1"


def test_a_member_over_https_is_collected(secured: Secured, group: str, tmp_path: Path) -> None:
    """The member is another group of the service, vouched for by `collect.ca_file`, or not."""
    member = secured.service.next_group()
    config = soap.get_property_config("agg:RegistrationCount")
    secured.call(group, soap.add_body(member, config))
    body = f'<rp:GetResourcePropertyDocument xmlns:rp="{soap.NS["oasis"]["rp"]}"/>'
    until(
        lambda: b"RegistrationCount" in _data(secured.call(group, body).body),
        what="the member's property",
    )
    with running_service(tmp_path) as distrusting:
        soap.add(distrusting.group, member, config)
        trouble = until(
            lambda: soap.call(distrusting.group, body).body.findall(
                f".//{{{soap.AGG}}}AggregatorError//{{*}}code"
            ),
            what="an AggregatorError",
        )
        assert trouble[0].text == "tls"
        assert not _data(soap.call(distrusting.group, body).body)


def _data(document: etree._Element) -> bytes:
    found = document.findall(f".//{{{soap.AGG}}}AggregatorData")
    return b"".join(etree.tostring(child) for data in found for child in data)
