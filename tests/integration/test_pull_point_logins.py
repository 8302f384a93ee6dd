"""Devices of ONVIF that want a user name token, of their own time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import onvif, soap
from tests.onvif import Device
from tests.service import MANY_GROUPS, RunningService, running_service
from tests.waiting import until

from . import pull_kit
from .pull_kit import pull_config, until_state

CONFIG = f"{pull_kit.CONFIG}{MANY_GROUPS}"


@pytest.fixture(scope="module")
def camera() -> Iterator[Device]:
    with onvif.device(login=("operator", 'sec"ret')) as device:
        yield device


@pytest.fixture(scope="module")
def running(camera: Device, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("logins")
    logins = folder / "netrc"
    host = camera.url.removeprefix("http://")
    logins.write_text(
        f'machine {host} login operator password sec\\"ret\ndefault login x password y\n'
    )
    logins.chmod(0o600)
    config = f'[collect]\nlogins = "{logins}"\n{CONFIG}'
    with running_service(folder / "service", config=config) as service:
        yield service


class TestLogin:
    """Devices that want a user name token."""

    @pytest.mark.parametrize("skew", [0, 7200, -86400 * 400])
    def test_it_is_told_who_asks(
        self, running: RunningService, camera: Device, skew: float
    ) -> None:
        camera.skew = skew
        group = running.next_group()
        entry = soap.add(group, camera.device_service, pull_config())
        camera.tell("Motion", "cam1", "true")
        until_state(group, Motion__cam1="true")
        soap.destroy(entry)
        until(lambda: not camera.subscriptions, what="the end of the subscription")

    def test_a_clock_that_is_set_costs_no_subscription(
        self, running: RunningService, camera: Device
    ) -> None:
        camera.skew = 0
        group = running.next_group()
        entry = soap.add(group, camera.device_service, pull_config())
        camera.skew = 3600
        made = camera.calls.count("CreatePullPointSubscription")
        camera.tell("Motion", "cam1", "true")
        until_state(group, Motion__cam1="true")
        camera.skew = -3600
        soap.destroy(entry)
        until(lambda: not camera.subscriptions, what="the end of the subscription")
        assert camera.calls.count("CreatePullPointSubscription") == made

    def test_nobody_else_is(self, running: RunningService) -> None:
        """Whoever registers a device at another port learns nothing of the password."""
        with onvif.device(login=("operator", 'sec"ret')) as other:
            answer = soap.call(running.next_group(), soap.add_body(other.events, pull_config()))
            assert answer.fault[0] == "AddRefusedFault"
            assert "NotAuthorized" in answer.content.decode()
            assert other._nonces == set()
