"""Messages as no honest client sends them, published to a broker of the tests."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import kombu

from tests import events_kit

_DEPTH = 3000


def instant(seconds: int) -> Callable[[bytes], bytes]:
    """With a header that is an instant so many seconds after 1970."""
    wanted = b"T" + struct.pack(">Q", seconds)
    return lambda data: data.replace(b"S\0\0\0\4evil", wanted)


def _deep() -> bytes:
    found = b"V"
    for _ in range(_DEPTH):
        found = b"A" + struct.pack(">I", len(found)) + found
    return found


_DEEP = _deep()
_PLACE = "x" * (len(_DEEP) - 5)


def deep(data: bytes) -> bytes:
    """With a header of lists in lists."""
    return data.replace(b"S" + struct.pack(">I", len(_PLACE)) + _PLACE.encode(), _DEEP)


def no_content_type(data: bytes) -> bytes:
    """With a content type that is no text."""
    return data.replace(b"type", b"\xff\xfe\xff\xfe")


def no_topic(data: bytes) -> bytes:
    """With a topic that is no text."""
    return data.replace(b".evil", b".\xff\xfe\xff\xfe")


def compressed(data: bytes) -> bytes:
    """As it is: what is said to be compressed, and is not."""
    return data


HOSTILE: dict[str, tuple[Callable[[bytes], bytes], dict[str, Any]]] = {
    "an instant beyond C": (instant(2**60), {"headers": {"a": "evil"}}),
    "an instant beyond Python": (instant(10**12), {"headers": {"a": "evil"}}),
    "deep": (deep, {"headers": {"a": _PLACE}}),
    "no kind": (no_content_type, {"content_type": "type"}),
    "no topic": (no_topic, {"routing_key": "1.evil"}),
    "compressed": (compressed, {"headers": {"compression": "application/x-gzip"}}),
}


def publish(exchange: str, name: str, *, topic: str = "1.o") -> None:
    """Publish one of HOSTILE, its body its name."""
    change, given = HOSTILE[name]
    given = {"routing_key": topic, **given}
    if "routing_key" in HOSTILE[name][1]:
        given["routing_key"] = f"{topic}.evil"
    with kombu.Connection(events_kit.amqp_url()) as connection:
        channel = connection.channel()
        wire = connection.connection.transport
        send = wire._write
        wire._write = lambda data: send(change(bytes(data)))
        producer = kombu.Producer(channel, auto_declare=False)
        producer.publish(
            name.encode(), exchange=exchange, content_encoding="binary", retry=False, **given
        )
