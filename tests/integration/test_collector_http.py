"""The collector's HTTP client against servers that are slow, broken or hostile."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from aggregator.collect.http import HttpClient
from aggregator.config.collection import CollectSettings
from aggregator.contract import HttpReply
from aggregator.errors import CollectError
from tests.misbehaving import MEGABYTE, VALUE, MisbehavingServer, misbehaving, response

#: A machine that is busy may take its time over what is to succeed.
SETTINGS = CollectSettings(timeout=60.0, connect_timeout=30.0, max_response=2 * MEGABYTE)
HURRIED = replace(SETTINGS, timeout=0.7, connect_timeout=0.5)


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with misbehaving() as running:
        yield running


def with_client(
    work: Callable[[HttpClient], Awaitable[HttpReply]], settings: CollectSettings = SETTINGS
) -> HttpReply:
    """What `work` got from a client of its own loop."""

    async def main() -> HttpReply:
        client = HttpClient(settings)
        try:
            return await work(client)
        finally:
            client.close()

    return asyncio.run(main())


def post(url: str, settings: CollectSettings = SETTINGS) -> HttpReply:
    headers = {"Content-Type": "text/xml", "SOAPAction": '"urn:x"'}
    return with_client(lambda client: client.post(url, b"<x/>", headers=headers), settings)


def refused(url: str, settings: CollectSettings = SETTINGS) -> CollectError:
    with pytest.raises(CollectError) as caught:
        post(url, settings)
    return caught.value


def test_a_post_brings_the_reply_and_sends_what_it_was_given(server: MisbehavingServer) -> None:
    reply = post(f"{server.url}/ok")
    assert (reply.status, reply.content_type, reply.body) == (200, "text/xml", response(VALUE))
    asked = server.journal.asked[0]
    assert asked.body == b"<x/>"
    assert asked.headers["soapaction"] == '"urn:x"'
    assert asked.headers["user-agent"] == "mds-aggregator"
    assert "expect" not in asked.headers


def test_a_get_has_no_body_after_a_post_on_the_same_handle(server: MisbehavingServer) -> None:
    async def both(client: HttpClient) -> HttpReply:
        await client.post(f"{server.url}/ok", b"<x/>", headers={"X-One": "1"})
        return await client.get(f"{server.url}/ok")

    assert with_client(both).body == response(VALUE)
    assert [asked.body for asked in server.journal.asked] == [b"<x/>", b""]
    assert "x-one" not in server.journal.asked[1].headers


def test_connections_are_kept_and_capped_per_host(server: MisbehavingServer) -> None:
    async def many(client: HttpClient) -> HttpReply:
        for _ in range(3):
            posts = (client.post(f"{server.url}/slow/0.05", b"", headers={}) for _ in range(9))
            replies = await asyncio.gather(*posts)
        return replies[0]

    with_client(many, replace(SETTINGS, connections_per_host=3))
    assert len(server.journal.asked) == 27
    assert server.journal.most_at_once == 3
    assert server.journal.connections == 3


def test_a_compressed_reply_is_read(server: MisbehavingServer) -> None:
    assert post(f"{server.url}/gzip").body == response(VALUE)


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("hang", "timeout", "no complete answer within 0.7 s"),
        ("trickle", "timeout", "no complete answer within 0.7 s"),
        ("drop", "connection", "connection"),
        ("break-off", "connection", "broke off"),
        ("garbage", "connection", "HTTP"),
        ("big", "too-large", "larger than 2097152 bytes"),
        ("announced", "too-large", "larger than 2097152 bytes"),
        ("bomb", "too-large", "larger than 2097152 bytes"),
    ],
)
def test_each_fault_has_its_code(
    server: MisbehavingServer, path: str, code: str, words: str
) -> None:
    began = time.monotonic()
    error = refused(f"{server.url}/{path}", HURRIED if code == "timeout" else SETTINGS)
    assert (error.code, words in error.message) == (code, True), error.message
    assert time.monotonic() - began < 30
    assert "127.0.0.1" not in error.message


def test_a_large_body_is_not_read_to_its_end(server: MisbehavingServer) -> None:
    refused(f"{server.url}/big")
    assert server.journal.sent < 20 * MEGABYTE


def test_a_redirect_is_handed_over_and_not_followed(server: MisbehavingServer) -> None:
    assert post(f"{server.url}/redirect").status == 302
    assert server.journal.paths() == ["/redirect"]


def test_nobody_listens() -> None:
    with misbehaving() as gone:
        url = gone.url
    assert refused(url).code == "connection"


def test_a_name_that_does_not_resolve() -> None:
    assert refused("http://no-such-host.invalid/", HURRIED).code in ("connection", "timeout")


@pytest.mark.parametrize("scheme", ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://x/"])
def test_only_http_is_spoken(scheme: str) -> None:
    assert refused(scheme).code == "address-refused"


def test_denied_networks_are_judged_by_the_address_that_is_dialled(
    server: MisbehavingServer,
) -> None:
    denied = replace(SETTINGS, deny_networks=("127.0.0.0/8", "::1/128"))
    port = server.server_address[1]
    for host in ("127.0.0.1", "localhost", "127.1", "2130706433", "[::ffff:127.0.0.1]"):
        assert refused(f"http://{host}:{port}/ok", denied).code == "address-refused", host
    assert server.journal.connections == 0


def test_only_allowed_networks_are_dialled_where_some_are(server: MisbehavingServer) -> None:
    assert refused(f"{server.url}/ok", replace(SETTINGS, allow_networks=("10.0.0.0/8",))).code == (
        "address-refused"
    )
    assert (
        post(f"{server.url}/ok", replace(SETTINGS, allow_networks=("127.0.0.0/8",))).status == 200
    )


def test_a_proxy_of_the_environment_is_not_used(
    server: MisbehavingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    assert post(f"{server.url}/ok").status == 200


def test_a_cancelled_exchange_drops_its_connection_and_harms_no_other(
    server: MisbehavingServer,
) -> None:
    async def work(client: HttpClient) -> HttpReply:
        hanging = asyncio.create_task(client.post(f"{server.url}/hang", b"", headers={}))
        await asyncio.sleep(0.1)
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        return await client.post(f"{server.url}/ok", b"", headers={})

    assert with_client(work, replace(SETTINGS, connections_per_host=1)).status == 200


def test_a_connection_that_the_member_closed_meanwhile_is_made_anew(
    server: MisbehavingServer,
) -> None:
    async def work(client: HttpClient) -> HttpReply:
        await client.get(f"{server.url}/ok")
        with pytest.raises(CollectError):
            await client.get(f"{server.url}/drop")
        return await client.get(f"{server.url}/ok")

    assert with_client(work).status == 200


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "member")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "member.pem"
    file.write_bytes(
        built.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file


def test_certificates_are_verified(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with misbehaving(context) as server:
        error = refused(f"{server.url}/ok")
        assert (error.code, error.message) == ("tls", "the member's certificate is not trusted")
        assert server.journal.asked == []
        trusted = replace(SETTINGS, ca_file=str(certificate))
        assert post(f"{server.url}/ok", trusted).status == 200
        unverified = replace(SETTINGS, verify=False)
        assert post(f"{server.url}/ok", unverified).status == 200
