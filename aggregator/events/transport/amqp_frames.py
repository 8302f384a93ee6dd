"""What comes from an AMQP broker, made readable where its publisher made it otherwise.

Whoever may publish writes a message's topic and properties as he likes. The library reads them
while it reads the connection's frames, and what it can't read (an instant of the year 36 billion,
tables a thousand deep) ends the connection: the broker would deliver the message again, for ever.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from struct import unpack_from
from typing import Any

from amqp import spec
from amqp.method_framing import frame_handler
from amqp.serialization import decode_properties_basic
from kombu.transport import pyamqp

log = logging.getLogger(__name__)

_METHOD, _HEADER = 1, 2
#: Of a method, its class and number; of a header, what comes before the properties.
_NUMBERS, _BEFORE = 4, 12
_NO_PROPERTIES = b"\0\0"
_LAST_ASCII = 127

Frame = tuple[int, int, bytes]


def readable_frames(connection: Any, callback: Callable[..., Any]) -> Callable[[Frame], bool]:
    """The library's `frame_handler`, given frames that it can read."""
    on_frame: Callable[[Frame], bool] = frame_handler(connection, callback)

    def on_readable(frame: Frame) -> bool:
        kind, channel, payload = frame
        if kind == _METHOD:
            payload = _with_readable_topic(payload)
        elif kind == _HEADER:
            payload = _with_readable_properties(payload)
        return on_frame((kind, channel, payload))

    return on_readable


class AsItCame(pyamqp.Message):  # type: ignore[misc]
    """A message whose body stays what was sent, whatever its headers say that it is.

    The library would unpack what is said to be compressed: however large it becomes, and with an
    error that ends the connection where it is not compressed at all.
    """

    def __init__(self, msg: Any, channel: Any = None, **kwargs: Any) -> None:
        (msg.properties.get("application_headers") or {}).pop("compression", None)
        super().__init__(msg, channel, **kwargs)


def _with_readable_properties(payload: bytes) -> bytes:
    """The header of a message, without its properties where they can't be read."""
    try:
        decode_properties_basic(payload, _BEFORE)
    except Exception as error:
        log.warning("The headers of a message can't be read and are left out: %r", error)
        return bytes(payload[:_BEFORE]) + _NO_PROPERTIES
    return payload


def _with_readable_topic(payload: bytes) -> bytes:
    """What announces a message, with a topic that is text."""
    method = unpack_from(">HH", payload, 0)
    if method == spec.Basic.Deliver:
        start = _after_text(payload, _NUMBERS)
    elif method == spec.Basic.GetOk:
        start = _NUMBERS
    else:
        return payload
    # The number of the delivery, a flag, and the exchange's name come before it.
    start = _after_text(payload, start + 9)
    end = _after_text(payload, start)
    topic = bytes(payload[start + 1 : end])
    try:
        topic.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        plain = bytes(one if one <= _LAST_ASCII else ord("?") for one in topic)
        log.warning("The topic of a message is no text; it is taken for %s", plain.decode())
        return bytes(payload[: start + 1]) + plain + bytes(payload[end:])
    return payload


def _after_text(payload: bytes, start: int) -> int:
    return start + 1 + payload[start]
