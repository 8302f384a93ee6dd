"""Which addresses may be dialled, in every way of writing them."""

from __future__ import annotations

import pytest

from aggregator.collect.networks import Networks
from aggregator.config.collection import DENIED_NETWORKS


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
    ],
)
def test_metadata_and_link_local_addresses_are_denied_from_the_start(host: str) -> None:
    assert not Networks(allow=(), deny=DENIED_NETWORKS).permits(host)
    assert not Networks(allow=("0.0.0.0/0", "::/0"), deny=DENIED_NETWORKS).permits(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "10.1.2.3", "192.0.2.1", "2001:db8::1"])
def test_the_rest_is_permitted(host: str) -> None:
    assert Networks(allow=(), deny=DENIED_NETWORKS).permits(host)


def test_allowed_networks_leave_out_all_others() -> None:
    networks = Networks(allow=("10.0.0.0/8",), deny=("10.9.0.0/16",))
    assert networks.permits("10.1.2.3")
    assert networks.permits("::ffff:10.1.2.3")
    assert not networks.permits("10.9.2.3")
    assert not networks.permits("::ffff:10.9.2.3")
    assert not networks.permits("192.0.2.1")
    assert not networks.permits("2001:db8::1")
