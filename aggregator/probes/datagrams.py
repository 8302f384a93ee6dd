"""UDP sockets that tell when a packet arrived, by the kernel, and with what TTL."""

from __future__ import annotations

import socket
import struct
import time
from typing import Any, NamedTuple

#: Of Linux; Python has no names for them.
_IP_RECVTTL = 12
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")
_INT = struct.Struct("@i")
_MOST = 65535
FAR = 255


class Datagram(NamedTuple):
    """A packet; `arrived` in nanoseconds since 1970, `ttl` None where it is not known."""

    data: bytes
    sender: Any
    arrived: int
    ttl: int | None


def open_socket(family: int) -> socket.socket:
    """A socket whose packets leave with the TTL 255, as TWAMP wants them to."""
    found = socket.socket(family, socket.SOCK_DGRAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        if family == socket.AF_INET6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, FAR)
        else:
            found.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
            found.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, FAR)
    except OSError:
        found.close()
        raise
    return found


def receive(opened: socket.socket) -> Datagram:
    """The next packet; OSError as the socket's own."""
    data, told, _, sender = opened.recvmsg(_MOST, 256)
    arrived, ttl = time.time_ns(), None
    for level, kind, value in told:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS) and len(value) == _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack(value)
            arrived = seconds * 10**9 + nanoseconds
        elif (level, kind) in _TTLS and len(value) >= _INT.size:
            (ttl,) = _INT.unpack_from(value)
    return Datagram(data, sender, arrived, ttl)


_TTLS = {
    (socket.IPPROTO_IP, socket.IP_TTL),
    (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT),
}
