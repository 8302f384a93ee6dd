"""This machine's clock in NTP's 64 bits, and how far off it may be."""

from __future__ import annotations

import ctypes
import struct

from aggregator.wire.nmwg_times import UNIX_EPOCH

_ALL = 2**64
_DAY = 86400
_TIME_ERROR = 5
#: The beginning of Linux's struct timex: modes, offset, freq, maxerror, esterror, status.
_TIMEX = struct.Struct("@Illlli")
_SYNCHRONISED, _SCALE_AT = 0x8000, 8


def ntp(nanoseconds: int) -> int:
    """Nanoseconds since 1970 as NTP's 64 bits, which begin anew in 2036."""
    return (((nanoseconds << 32) // 10**9) + (UNIX_EPOCH << 32)) % _ALL


def seconds_between(earlier: int, later: int) -> float:
    """From one instant to another, also over the end of an era; negative where it lies before."""
    return ((later - earlier + _ALL // 2) % _ALL - _ALL // 2) / 2**32


def error_estimate() -> int:
    """How far off this clock may be, as RFC 4656, section 4.1.2, writes it.

    The kernel knows it where a program keeps the clock synchronised, else it says 16 s.
    """
    room = ctypes.create_string_buffer(512)
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(room)
    except (OSError, AttributeError):
        state = -1
    microseconds = _TIMEX.unpack_from(room)[3] if state >= 0 else 16_000_000
    return estimate(microseconds / 10**6, synchronised=0 <= state != _TIME_ERROR)


def estimate(seconds: float, *, synchronised: bool) -> int:
    """Seconds as an error estimate, rounded up: a bit, a scale of 6 bits, a multiplier of 8."""
    units = max(1, int(seconds * 2**32) + 1)
    scale = max(0, units.bit_length() - 8)
    multiplier = -(-units >> scale)
    if multiplier > 0xFF:
        scale, multiplier = scale + 1, multiplier // 2
    return (_SYNCHRONISED if synchronised else 0) | scale << _SCALE_AT | multiplier


def seconds_of(estimated: int) -> float | None:
    """The seconds of an error estimate; None where it says nothing.

    That is one without a multiplier, and one of days: a sender that does not know sends all bits.
    """
    multiplier, scale = estimated & 0xFF, estimated >> _SCALE_AT & 0x3F
    seconds = multiplier * 2.0 ** (scale - 32)
    return seconds if 0 < seconds < _DAY else None
