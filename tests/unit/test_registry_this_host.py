"""Which names and addresses of this host lead to a service, by what it listens on."""

from __future__ import annotations

import socket

import psutil
import pytest

from aggregator.registry.own_address import Host, host_of, is_loopback
from aggregator.registry.this_host import full_name, own_hosts

NAME = host_of(socket.gethostname())


def interfaces() -> set[Host]:
    families = (socket.AF_INET, socket.AF_INET6)
    found = [one for addresses in psutil.net_if_addrs().values() for one in addresses]
    return {host_of(one.address) for one in found if one.family in families}


def test_the_full_name_is_none_that_all_hosts_share() -> None:
    assert not is_loopback(host_of(full_name())) or is_loopback(NAME)


@pytest.mark.parametrize(
    ("bound", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("::1", "http://[::1]:8080"),
        ("localhost", f"http://{socket.gethostbyname('localhost')}:8080"),
    ],
)
def test_on_loopback_alone_the_name_alone_counts(bound: str, url: str) -> None:
    assert own_hosts(bound, public_url=url) == {NAME}


@pytest.mark.parametrize(
    ("bound", "url"),
    [
        ("0.0.0.0", "http://index:8080"),
        ("::", "http://index:8080"),
        ("127.0.0.1", "https://index.example.org/mds"),
        ("localhost", "https://index.example.org"),
    ],
)
def test_on_all_and_behind_a_proxy_every_interface_counts(bound: str, url: str) -> None:
    assert own_hosts(bound, public_url=url) == {NAME, host_of(full_name()), *interfaces()}


def test_on_one_address_no_other_counts() -> None:
    found = own_hosts("192.0.2.7", public_url="http://192.0.2.7:8080")
    assert found == {NAME, host_of(full_name()), host_of("192.0.2.7")}


def test_an_address_that_is_none_counts_for_itself() -> None:
    """The start says what is wrong with it."""
    found = own_hosts("no such host", public_url="http://no such host:1")
    assert "no such host" in found
