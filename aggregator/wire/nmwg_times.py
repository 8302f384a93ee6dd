"""Instants of measurements: NTP's 64 bits, and how they are written.

What is told after the point of a second is the lower half of the 64 bits as a whole number, not a
decimal fraction: clients turn it back that way.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from functools import lru_cache

UNIX_EPOCH = 2208988800
"""Seconds from the epoch of NTP to that of Unix."""
LATEST = 2**64 - 1
_FRACTION = 0xFFFFFFFF
_DAY = 86400
_UNIX = re.compile(r"([+-]?[0-9]{1,20})(?:\.([0-9]{0,40}))?", re.ASCII)
_WORDS = re.compile(
    r"(?:[A-Z][a-z]{2} +)?([A-Z][a-z]{2}) +([0-9]{1,2}) +"
    r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]{1,10})? +(?:(?:UTC|GMT|Z) +)?([0-9]{4})",
    re.ASCII,
)
_SLASHED = re.compile(r"([0-9]{4})/([0-9]{2})/([0-9]{2})\b", re.ASCII)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def from_unix(text: str) -> int | None:
    """The instant of seconds since 1970, with decimals; None where `text` is none.

    What NTP's first era can't hold is its beginning, or its end.
    """
    found = _UNIX.fullmatch(text.strip())
    if found is None:
        return None
    decimals = found[2] or ""
    fraction = (int(decimals) << 32) // 10 ** len(decimals) if decimals else 0
    whole = (int(found[1]) + UNIX_EPOCH) << 32
    return min(max(whole + fraction, 0), LATEST)


def from_iso(text: str) -> int | None:
    """The instant of a date and time, of UTC where it names no zone; None where `text` is none.

    Read are ISO 8601, the same with slashes, and the form in which replies write it.
    """
    text = text.strip()
    if found := _WORDS.fullmatch(text):
        if found[1] not in _MONTHS:
            return None
        month = _MONTHS.index(found[1]) + 1
        text = f"{found[6]}-{month:02}-{int(found[2]):02}T{found[3]}:{found[4]}:{found[5]}"
    elif not text[:1].isdecimal():
        return None
    try:
        instant = datetime.fromisoformat(_SLASHED.sub(r"\1-\2-\3", text, count=1))
    except ValueError:
        return None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    since = instant - datetime(1970, 1, 1, tzinfo=UTC)
    micros = (since.days * _DAY + since.seconds + UNIX_EPOCH) * 10**6 + since.microseconds
    return min(max((micros << 32) // 10**6, 0), LATEST)


def from_shown(text: str, type: str) -> int | None:
    """The instant that `shown_unix` or `shown_iso` wrote; None where `text` is none.

    What is after the point is the lower half of the instant.
    """
    whole, _, rest = text.strip().partition(".")
    half, _, zone = rest.partition(" ")
    if half and not (half.isascii() and half.isdecimal() and len(half) < 11):
        return None
    seconds = from_iso(f"{whole} {zone}".strip()) if type.lower() == "iso" else from_unix(whole)
    if seconds is None or (zone and type.lower() != "iso") or int(half or 0) > _FRACTION:
        return None
    return seconds - seconds % (_FRACTION + 1) + int(half or 0)


def now() -> int:
    """The present instant."""
    return ((time.time_ns() << 32) // 10**9) + (UNIX_EPOCH << 32)


def shown_unix(instant: int) -> str:
    """Seconds since 1970, a point, and the lower half: ``1282745952.3377823037``."""
    return f"{(instant >> 32) - UNIX_EPOCH}.{instant & _FRACTION}"


def shown_iso(instant: int) -> str:
    """``Wed Aug 25 14:19:12.3377823037 UTC 2010``."""
    day, second = divmod((instant >> 32) - UNIX_EPOCH, _DAY)
    before, after = _date(day)
    minute, second = divmod(second, 60)
    return f"{before}{minute // 60:02}:{minute % 60:02}:{second:02}.{instant & _FRACTION}{after}"


@lru_cache(maxsize=1024)
def _date(day: int) -> tuple[str, str]:
    found = time.gmtime(day * _DAY)
    before = f"{_DAYS[found.tm_wday]} {_MONTHS[found.tm_mon - 1]} {found.tm_mday} "
    return before, f" UTC {found.tm_year}"
