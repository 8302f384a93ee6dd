"""Packets of TWAMP's test protocol, unauthenticated (RFC 5357, sections 4.1.2 and 4.2.1)."""

from __future__ import annotations

import struct
from typing import NamedTuple

PORT = 862
#: Octets of a sender's packet without padding, and of a reflection.
SENT, REFLECTED = 14, 41
_SENT = struct.Struct("!IQH")
_REFLECTED = struct.Struct("!IQHHQIQHHB")
#: The Z bit of an error estimate: times are in another form than NTP's (RFC 8186).
_OTHER_FORM = 0x4000
#: What a reflection may be longer than the packet that it answers: the header, and STAMP's three.
_LONGER = REFLECTED - SENT + 3
#: Some reflectors pad as they like; that much always fits.
_ETHERNET = 1500


class Reflection(NamedTuple):
    """What a reflector says of a packet.

    `ttl` is what the packet had left when it arrived; None where the reflector does not tell.
    """

    sent: int
    error: int
    received: int
    sequence: int
    first_sent: int
    ttl: int | None


def packet(sequence: int, sent: int, error: int, padding: int) -> bytes:
    """A packet of a sender, its padding zeros."""
    return _SENT.pack(sequence, sent, error) + bytes(padding)


def read_reflection(data: bytes, *, asked: int) -> Reflection | None:
    """The reflection in a packet that answers one of `asked` octets; None where it holds none."""
    if not REFLECTED <= len(data) <= max(asked + _LONGER, _ETHERNET):
        return None
    _, sent, error, _, received, sequence, first_sent, _, _, ttl = _REFLECTED.unpack_from(data)
    if error & _OTHER_FORM:
        return None
    return Reflection(sent, error, received, sequence, first_sent, ttl or None)


def may_be_reflected(data: bytes) -> bool:
    """Whether a packet is to be answered: long enough for the answer, and no answer itself.

    Two reflectors that answered each other's reflections would never end.
    """
    if len(data) < REFLECTED:
        return False
    sequence, _, error, _, received, repeated, first_sent, *_ = _REFLECTED.unpack_from(data)
    is_reflection = repeated == sequence and received and first_sent
    return not is_reflection and not error & _OTHER_FORM


def reflection(data: bytes, *, received: int, sent: int, error: int, ttl: int) -> bytes:
    """The answer to a packet, as long as it is; its sequence number is the sender's."""
    sequence, first_sent, first_error = _SENT.unpack_from(data)
    head = _REFLECTED.pack(
        sequence, sent, error, 0, received, sequence, first_sent, first_error, 0, ttl
    )
    return head + bytes(len(data) - REFLECTED)
