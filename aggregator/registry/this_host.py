"""This host as others know it: its name, and the names and addresses that lead to it."""

from __future__ import annotations

import functools
import socket
from urllib.parse import urlsplit

import psutil

from aggregator.registry.own_address import Host, host_of, is_loopback

_ANYWHERE = ("0.0.0.0", "::")


@functools.cache
def full_name() -> str:
    """The name under which other hosts may reach this one, as far as it is known here.

    Asked for once: a resolver that is away would cost seconds every time. Names such as
    localhost, which some resolvers give, are shared by all hosts and lead nobody here.
    """
    found = socket.getfqdn()
    return socket.gethostname() if is_loopback(host_of(found)) else found


def is_anywhere(bound: str) -> bool:
    """Whether who listens on this address listens on all of the host's."""
    return bound in _ANYWHERE


def url_of(listener: socket.socket, *, scheme: str) -> str:
    """The URL under which a socket is reached: of its address, or of this host where it has all."""
    host, port = listener.getsockname()[:2]
    if is_anywhere(host):
        host = full_name()
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def own_hosts(bound: str, *, public_url: str) -> frozenset[Host]:
    """The names and addresses of this host that lead to a service of ours, as they are now.

    `bound` is what it listens on. Where that is all of the host, or a proxy stands before it,
    every interface counts; otherwise those alone that `bound` means, since another service may
    listen on the others. No name is looked up but our own.
    """
    names = {host_of(socket.gethostname())}
    meant = {host_of(bound), *_meant(bound)}
    if is_anywhere(bound) or host_of(urlsplit(public_url).hostname or "") not in meant:
        return frozenset(names | {host_of(full_name())} | _interfaces())
    if all(map(is_loopback, meant)):
        return frozenset(names)
    return frozenset(names | {host_of(full_name())} | meant)


def _interfaces() -> set[Host]:
    internet = (socket.AF_INET, socket.AF_INET6)
    found = (one for addresses in psutil.net_if_addrs().values() for one in addresses)
    return {host_of(one.address) for one in found if one.family in internet}


def _meant(bound: str) -> set[Host]:
    try:
        found = socket.getaddrinfo(bound, None, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {host_of(str(address[0])) for *_, address in found}
