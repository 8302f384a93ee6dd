"""A reflector of TWAMP Light for tests, which errs as it is told: a process of its own.

Its packets are written from RFC 5357, not by what the probe reads them with. It prints its port,
and ends when its standard input does.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator

EPOCH = 2208988800
Packet = tuple[int, bytes, int]


def ntp(seconds: float) -> tuple[int, int]:
    """An instant in two halves."""
    return int(seconds) + EPOCH, int(seconds % 1 * 2**32)


def answer(
    packet: Packet, *, behind: float = 0, own: int | None = None, ttl: int = 250, error: int = 1
) -> bytes:
    """A reflection whose clock is `behind`, from a sender's sequence number, times and error."""
    sequence, head, length = packet
    now = ntp(time.time() - behind)
    number = sequence if own is None else own
    found = struct.pack("!I2IHH2I", number, *now, error, 0, *now) + head + b"\0\0" + bytes([ttl])
    return found.ljust(length, b"\0")


def lossy(packet: Packet) -> Iterator[bytes]:
    """Every third packet is lost, the second comes back twice, the fifth came here twice."""
    if packet[0] % 3 != 2:
        yield (found := answer(packet))
        if packet[0] == 1:
            yield found
        if packet[0] == 4:
            time.sleep(0.002)
            yield answer(packet)


def forging(packet: Packet) -> Iterator[bytes]:
    """What is no reflection of a packet of the sender, or of no packet that was sent."""
    good = answer(packet)
    yield b""
    yield b"\xff"
    yield good[:40]
    yield good.ljust(5000, b"\0")
    yield good[:24] + struct.pack("!I", packet[0] + 1) + good[28:]
    yield good[:24] + b"\xff\xff\xff\xff" + good[28:]
    yield good[:28] + bytes(8) + good[36:]
    yield good[:12] + b"\x40\x01" + good[14:]
    yield b"\0" * 41
    yield b"<xml/>".ljust(41)


def skewed(packet: Packet) -> Iterator[bytes]:
    """Its clock is ten seconds behind, its answers come after a while."""
    time.sleep(0.02)
    yield answer(packet, behind=10)


def of_1970(packet: Packet) -> Iterator[bytes]:
    """Its clock was never set."""
    yield answer(packet, behind=time.time() - 60)


def padding(packet: Packet) -> Iterator[bytes]:
    """It counts its own packets, pads as it likes, and knows neither TTL nor its error."""
    own = packet[0] + 7
    yield answer((packet[0], packet[1], 572), own=own, ttl=0, error=0x3FFF)


WAYS: dict[str, Callable[[Packet], Iterator[bytes]]] = {
    "lossy": lossy,
    "forging": forging,
    "skewed": skewed,
    "of_1970": of_1970,
    "padding": padding,
}


def main(way: str, host: str) -> None:
    """Reflect on a free port of an address until standard input ends."""
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((host, 0))
    stranger.bind((host, 0))
    print(opened.getsockname()[1], flush=True)
    while True:
        ready, _, _ = select.select([opened, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        data, sender = opened.recvfrom(65535)
        packet = struct.unpack_from("!I", data)[0], data[:14], len(data)
        if way == "forging":
            # Good but for where it comes from.
            stranger.sendto(answer(packet), sender)
        for one in WAYS[way](packet):
            opened.sendto(one, sender)


if __name__ == "__main__":
    main(*sys.argv[1:])
