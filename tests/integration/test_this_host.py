"""A service that listens on all of its host: what it calls itself, and whom it takes for itself."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests import soap
from tests.integration.member_kit import member
from tests.service import RunningService, running_service

LOCAL = ("localhost", "localhost.localdomain", "ip6-localhost", "127.0.0.1", "0.0.0.0", "::")
FAMILIES: list[soap.Family] = ["gt4", "oasis"]


def interfaces() -> list[str]:
    """Addresses of this host as they stand in a URL, loopback or not."""
    found = [one for addresses in psutil.net_if_addrs().values() for one in addresses]
    four = [one.address for one in found if one.family == socket.AF_INET]
    six = [one.address.partition("%")[0] for one in found if one.family == socket.AF_INET6]
    return [*four, *(f"[{address}]" for address in six)]


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("everywhere")
    with running_service(folder, options=["--host", "0.0.0.0"]) as running:
        yield running


def port_of(service: RunningService) -> int:
    port = urlsplit(service.url).port
    assert port is not None
    return port


def registers(service: RunningService, host: str, family: soap.Family = "oasis") -> str:
    """Register the group with itself by this host; the name of the fault, if there is one."""
    address = f"http://{host}:{port_of(service)}/wsrf/services/DefaultIndexService"
    answer = soap.call(service.group, soap.add_body(address, family=family))
    return "" if answer.status == 200 else ": ".join(answer.fault)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_group_is_known_by_every_name_and_address_of_its_host(
    everywhere: RunningService, family: soap.Family
) -> None:
    name, before = socket.gethostname(), len(soap.entries(everywhere.group))
    for host in (name, name.upper(), f"{name}.", socket.getfqdn(), *interfaces()):
        told = registers(everywhere, host, family)
        assert told.startswith("AddRefusedFault: Loopback or duplicate"), (host, told)
    assert len(soap.entries(everywhere.group)) == before


def test_others_may_join(everywhere: RunningService) -> None:
    name, port = socket.gethostname(), port_of(everywhere)
    for address in (
        f"http://other.example.org:{port}/wsrf/services/DefaultIndexService",
        f"http://{name}:{port + 1}/wsrf/services/DefaultIndexService",
        f"http://{name}:{port}/wsrf/services/HostService",
        f"https://{name}:{port}/wsrf/services/DefaultIndexService",
    ):
        assert soap.destroy(soap.add(everywhere.group, address)).status == 200


def test_another_service_on_an_address_where_this_one_does_not_listen_may_join(
    service: RunningService,
) -> None:
    told = {host: registers(service, host) for host in interfaces()}
    assert {host for host, fault in told.items() if fault} <= {"127.0.0.1", "[::1]"}
    assert "Loopback or duplicate" in registers(service, socket.gethostname())


def test_behind_a_proxy_every_address_of_the_host_counts(tmp_path: Path) -> None:
    public = "https://index.example.org/mds"
    with running_service(tmp_path, options=["--public-url", public]) as service:
        for host in interfaces():
            assert "Loopback or duplicate" in registers(service, host)


def test_the_own_name_is_none_that_all_hosts_share(everywhere: RunningService) -> None:
    entry = soap.add(everywhere.group, "http://127.0.0.1:1/named")
    named = urlsplit(entry.address)
    assert named.hostname not in LOCAL
    assert named.hostname in (socket.gethostname().lower(), socket.getfqdn().lower())
    assert named.port == port_of(everywhere)
    warned = [line for line in everywhere.logs().splitlines() if "server.public_url" in line]
    assert len(warned) == 1
    assert f"http://{named.hostname}:{named.port}" in warned[0].lower()


@pytest.mark.parametrize(
    "options", [[], ["--host", "0.0.0.0", "--public-url", "http://index.example.org:8080"]]
)
def test_who_says_where_he_is_is_not_warned(tmp_path: Path, options: list[str]) -> None:
    with running_service(tmp_path, options=options) as service:
        assert "server.public_url" not in service.logs()


def test_a_member_calls_itself_the_same(everywhere: RunningService, tmp_path: Path) -> None:
    entry = soap.add(everywhere.group, "http://127.0.0.1:1/the-same")
    with member(tmp_path, "", "--host", "0.0.0.0") as running:
        assert urlsplit(running.url).hostname == urlsplit(entry.address).hostname
        assert "set public_url" in running.logs()
    with member(tmp_path / "local") as running:
        assert "set public_url" not in running.logs()
