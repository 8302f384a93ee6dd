"""The measurement archive of a real service: over HTTP, on both databases, over kills."""

from __future__ import annotations

import contextlib
import http.client
import os
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from lxml import etree

from tests.databases import DATABASES, database
from tests.measured import (
    IPERF_EVENT,
    MAKEY,
    UNIX,
    data,
    find,
    key,
    message,
    metadata,
    pair,
    parameter,
    reply,
    results,
)
from tests.measured_kit import Laid, laid, ntp, throughput_row
from tests.service import RunningService, running_service
from tests.waiting import until

Element = etree._Element
PATH = "/perfSONAR_PS/services/pSB"
SECRET = "0123456789abcdef0123"
CONFIG = """
[measurement]
metadata_db_type = "file"
storage = true
tokens = "tokens.toml"
"""
ROW = f'<iperf:datum timeType="unix" timeValue="{UNIX}.7" throughput="9.5e8"/>'
MEASURED = metadata(subject=pair(), types=[IPERF_EVENT])
STORED = MEASURED + f'<nmwg:data id="d1" metadataIdRef="m1">{ROW}</nmwg:data>'


def config_of(folder: Path, more: str = "") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    tokens = folder / "tokens.toml"
    tokens.write_text(f'[probe]\nsecret = "{SECRET}"\nnodes = ["x"]\n')
    tokens.chmod(0o600)
    return CONFIG + more


@pytest.fixture(scope="module", params=DATABASES)
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("measured")
    with (
        database(request.param, folder) as url,
        running_service(folder, config=config_of(folder), options=["--database", url]) as found,
    ):
        yield found


def post(service: RunningService, body: bytes, *, path: str = PATH, secret: str = "") -> Element:
    headers = {"Content-Type": "text/xml", "SOAPAction": '""'}
    if secret:
        headers["Authorization"] = f"Bearer {secret}"
    request = urllib.request.Request(f"{service.url}{path}", body, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/xml")
        return reply(answer.read())


def rows(service: RunningService, inner: str = MEASURED + data()) -> list[Element]:
    return find(post(service, message(inner)), "nmwg:data/iperf:datum")


def stored(service: RunningService) -> list[Element]:
    """Rows of what was stored, once the metadata store knows of it."""
    body = message(STORED, type="MetadataStorageRequest")
    assert results(post(service, body, secret=SECRET))[0][0] == "success.ma.added"
    return until(lambda: rows(service), within=20)


class TestOverHttp:
    def test_echo(self, service: RunningService) -> None:
        inner = metadata(types=["http://schemas.perfsonar.net/tools/admin/echo/2.0"]) + data()
        found = post(service, message(inner, type="EchoRequest"))
        assert results(found) == [("success.echo", "The echo request has passed.")]

    def test_what_is_stored_is_found_and_told(self, service: RunningService) -> None:
        [row] = stored(service)
        assert row.get("timeValue") == "Wed Aug 25 14:20:00.7 UTC 2010"
        found = post(service, message(MEASURED + data(), type="MetadataKeyRequest"))
        [told] = find(found, MAKEY)
        inner = metadata(inner=key(str(told.text))) + data()
        assert len(rows(service, inner)) == 1

    def test_storing_needs_a_token(self, service: RunningService) -> None:
        body = message(STORED, type="MetadataStorageRequest")
        for secret in ("", "wrong" * 4):
            [(code, text)] = results(post(service, body, secret=secret))
            assert code == "error.ma.storage"
            assert "token" in text

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
    def test_other_methods(self, service: RunningService, method: str) -> None:
        request = urllib.request.Request(f"{service.url}{PATH}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200
            body = answer.read()
        if method != "HEAD":
            assert results(reply(body)) == [
                (
                    "error.common.transport",
                    "Received message with an invalid HTTP request, are you using a web browser?",
                )
            ]

    def test_another_endpoint(self, service: RunningService) -> None:
        found = post(service, message(MEASURED + data()), path="/perfSONAR_PS/services/snmpMA")
        assert found.get("type") == "ErrorResponse"
        assert results(found) == [
            (
                "error.common.transport",
                "Received message with has invalid endpoint: /perfSONAR_PS/services/snmpMA",
            )
        ]

    def test_a_double_slash_is_one(self, service: RunningService) -> None:
        path = PATH.replace("/services", "//services")
        found = post(service, message(MEASURED + data()), path=path)
        assert found.get("type") == "SetupDataResponse"

    def test_a_body_in_chunks(self, service: RunningService) -> None:
        parts = urlsplit(service.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
        body = message(MEASURED + data())
        chunks = [body[at : at + 50] for at in range(0, len(body), 50)]
        connection.request("POST", PATH, iter(chunks), encode_chunked=True)
        found = reply(connection.getresponse().read())
        connection.close()
        assert found.get("type") == "SetupDataResponse"

    def test_a_body_that_is_too_large(self, service: RunningService) -> None:
        body = b"<a>" + b" " * (5 * 2**20) + b"</a>"
        parts = urlsplit(service.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
        # It is answered before all of it is sent.
        with contextlib.suppress(OSError):
            connection.request("POST", PATH, body)
        answer = connection.getresponse()
        connection.close()
        assert answer.status in (200, 413)

    def test_a_group_beside_it_is_as_it_was(self, service: RunningService) -> None:
        with urllib.request.urlopen(f"{service.group}?wsdl", timeout=10) as answer:
            assert answer.status == 200

    def test_it_is_measured(self, service: RunningService) -> None:
        post(service, message(MEASURED + data()))
        with urllib.request.urlopen(f"{service.url}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        assert 'aggregator_measurement_messages_total{outcome="answered"' in text


@pytest.fixture
def bwctl(tmp_path: Path) -> Iterator[Laid]:
    with laid("mariadb", "bwctl", tmp_path) as database:
        settings = {201: {"duration": 10, "udp": 0}}
        database.add_set(
            "201008",
            nodes={101: "192.0.2.1", 102: "192.0.2.2"},
            settings=settings,
            DATA=[throughput_row(ntp(UNIX + second)) for second in range(5)],
        )
        yield database


def over(database: Laid) -> str:
    return f'databases = [{{ url = "{database.url}", layout = "{database.layout}" }}]\n'


def test_a_database_that_is_there_already(bwctl: Laid, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with running_service(folder, config=config_of(folder, more=over(bwctl))) as service:
        found = until(lambda: rows(service), within=20)
        assert len(found) == 5
        # New rows need no rebuild.
        bwctl.insert("201008_DATA", [throughput_row(ntp(UNIX + 60))])
        assert len(rows(service)) == 6
        times = f'<nmwg:parameters id="t">{parameter("startTime", str(UNIX + 3))}</nmwg:parameters>'
        inner = metadata(subject=pair(), types=[IPERF_EVENT], inner=times) + data()
        assert len(rows(service, inner)) == 2


def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    config = config_of(folder)
    with running_service(folder, config=config) as service:
        body = message(STORED, type="MetadataStorageRequest")
        assert results(post(service, body, secret=SECRET))[0][0] == "success.ma.added"
        service.kill()
    with running_service(folder, config=config) as service:
        assert len(until(lambda: rows(service), within=20)) == 1


def test_it_is_rebuilt_while_it_serves(bwctl: Laid, tmp_path: Path) -> None:
    """No request fails, and none is told of nothing, while the store is built again and again."""
    folder = tmp_path / "data"
    more = 'maintenance_interval = "1s"\n' + over(bwctl)
    with running_service(folder, config=config_of(folder, more=more)) as service:
        until(lambda: rows(service), within=20)
        file = folder / "store.xml"
        written = {file.stat().st_mtime_ns}
        end = time.monotonic() + 5
        number = 0

        while time.monotonic() < end:
            number += 1
            bwctl.insert(
                "201008_NODES",
                [
                    {
                        "node_id": 1000 + number,
                        "addr": f"198.51.100.{number % 250}",
                        "first": 0,
                        "last": 0,
                    }
                ],
            )
            row = throughput_row(ntp(UNIX + 100 + number), (1000 + number, 102, 201))
            bwctl.insert("201008_DATA", [row])
            assert len(rows(service)) == 5
            written.add(file.stat().st_mtime_ns)
        assert len(written) >= 3
        assert not [one for one in os.listdir(folder) if one.endswith(".tmp")]


def test_a_store_that_is_lost_is_built_anew(bwctl: Laid, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with running_service(folder, config=config_of(folder, more=over(bwctl))) as service:
        until(lambda: rows(service), within=20)
        file = folder / "store.xml"
        whole = file.read_bytes()
        for lose in (file.unlink, lambda: file.write_text("<nmwg:store")):
            lose()
            until(lambda: file.exists() and file.read_bytes() == whole, within=20)
            assert len(rows(service)) == 5


def test_it_is_off_unless_it_is_configured(tmp_path: Path) -> None:
    with running_service(tmp_path / "data") as service:
        request = urllib.request.Request(f"{service.url}{PATH}", message(""))
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=10)
        assert not (tmp_path / "data" / "store.xml").exists()
