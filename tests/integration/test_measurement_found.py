"""A measurement archive that is found: by a lookup service, and through an index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import soap
from tests.integration.test_measurement_service import SECRET, STORED, config_of, post
from tests.measured import message, results
from tests.nmwg_peer import RunningPeer, nmwg_peer
from tests.service import RunningService, free_port, running_service, start_service
from tests.soap import AGG
from tests.waiting import until


@pytest.fixture
def peer() -> Iterator[RunningPeer]:
    with nmwg_peer() as running:
        yield running


def registering(peer: RunningPeer, port: int) -> str:
    here = f"http://127.0.0.1:{port}"
    return f"""
enable_registration = true
ls_instance = ["{peer.url}/ls"]
ls_groups = ["{here}/wsrf/services/DefaultIndexService"]
ls_registration_interval = "1s"
service_accesspoint = "{here}/perfSONAR_PS/services/pSB"
site_name = "Example"
"""


def store(service: RunningService) -> None:
    body = message(STORED, type="MetadataStorageRequest")
    assert results(post(service, body, secret=SECRET))[0][0] == "success.ma.added"


def test_it_registers_renews_and_deregisters(peer: RunningPeer, tmp_path: Path) -> None:
    port, folder = free_port(), tmp_path / "data"
    config = config_of(folder, more=registering(peer, port))
    service = start_service(folder, config=config, port=port)
    try:
        # With nothing to tell it registers nowhere but in the group.
        assert peer.types() == []
        store(service)
        until(lambda: "LSKeepaliveRequest" in peer.types(), within=30)
        [registered] = peer.ask("registered").values()
        assert registered["serviceName"] == "perfSONAR-BUOY MA"
        assert registered["serviceDescription"] == "perfSONAR-BUOY MA at Example"
        assert registered["accessPoint"].endswith(f":{port}/perfSONAR_PS/services/pSB")
        # The index has asked the archive for its keys.
        until(lambda: "192.0.2.1" in etree_text(service), within=30)
        assert service.stop() == 0
    finally:
        if service.process.poll() is None:
            service.kill()
    assert peer.types()[-1] == "LSDeregisterRequest"
    assert "Traceback" not in service.logs()


def etree_text(service: RunningService) -> str:
    return "".join(
        str(value)
        for entry in soap.entries(service.group)
        for data in entry.iter(f"{{{AGG}}}AggregatorData")
        for one in data.iter("*")
        for value in one.attrib.values()
    )


def test_a_restart_goes_on_with_what_is_registered(peer: RunningPeer, tmp_path: Path) -> None:
    port, folder = free_port(), tmp_path / "data"
    config = config_of(folder, more=registering(peer, port))
    service = start_service(folder, config=config, port=port)
    try:
        store(service)
        until(lambda: "LSRegisterRequest" in peer.types(), within=30)
        until(lambda: soap.entries(service.group), within=30)
    finally:
        service.kill()
    before = len(peer.types())
    service = start_service(folder, config=config, port=port)
    try:
        until(lambda: "LSKeepaliveRequest" in peer.types()[before:], within=30)
        assert "LSRegisterRequest" not in peer.types()[before:]
        # Where the start took longer than the entry had to live, it is added anew.
        until(lambda: len(soap.entries(service.group)) == 1, within=30)
    finally:
        service.stop()


def test_without_registration_nobody_is_told(peer: RunningPeer, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with running_service(folder, config=config_of(folder)) as service:
        store(service)
        assert soap.entries(service.group) == []
    assert peer.types() == []
