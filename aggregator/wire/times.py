"""Instants on the wire: xsd:dateTime and xsd:duration against microseconds since 1970, UTC.

An instant is an ``int`` of microseconds; ``None`` is an instant that never comes. Instants that
are read lie in the years 1 to 9998.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import isodate

SECOND = 1_000_000
MILLISECOND = 1_000
#: Years from here on mean "never": clients write 9999-12-31 for an infinite lifetime.
NEVER_YEAR = 9999

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = 86_400 * SECOND
_LONGEST = 100
_DATETIME = re.compile(
    r"(?P<year>\d{4}|[1-9]\d{4,})-(?P<day>\d\d-\d\d)T(?P<time>\d\d:\d\d:\d\d)(?P<fraction>\.\d+)?"
    r"(?P<zone>Z|[+-](?:0\d|1[0-3]):[0-5]\d|[+-]14:00)?",
    re.ASCII,
)
_DURATION = re.compile(
    r"P(?=.)(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=.)(?:\d+H)?(?:\d+M)?(?:\d+(?:\.\d+)?S)?)?", re.ASCII
)


_ahead: Callable[[], int] = lambda: 0  # noqa: E731


def show_ahead(ahead: Callable[[], int]) -> None:
    """Have this process write and read times of day that lie so far ahead of its instants.

    `ahead` is in microseconds. The instants of a service are its store's, which goes on when a
    clock is set; what clients are told is the time of day all the same.
    """
    global _ahead  # noqa: PLW0603  (as a time zone is that of a process)
    _ahead = ahead


def parse_datetime(text: str) -> int | None:
    """The instant of an xsd:dateTime (XML Schema part 2, 3.2.7); None for year 9999 and above.

    A time without zone is UTC, digits past the microsecond are dropped. Raises ValueError, saying
    what was given and what is expected; years before 1 are refused too.
    """
    lexical = text.strip()
    found = _DATETIME.fullmatch(lexical) if len(lexical) <= _LONGEST else None
    if found is None:
        raise ValueError(f"{lexical[:60]!r} is no xsd:dateTime like 2026-01-31T12:00:00Z")
    year, time, day = found["year"], found["time"], 0
    if len(year) > 4:
        # Past what datetime holds, but the calendar repeats every 400 years.
        year = str(2000 + int(year) % 400)
    if time == "24:00:00" and not (found["fraction"] or "").strip(".0"):
        # XML Schema writes the end of a day this way; it is the first instant of the next.
        time, day = "00:00:00", _DAY
    try:
        moment = datetime.fromisoformat(
            f"{year}-{found['day']}T{time}{(found['fraction'] or '')[:7]}{found['zone'] or 'Z'}"
        )
    except ValueError as error:
        raise ValueError(f"{lexical[:60]!r} is no possible date: {error}") from error
    if len(found["year"]) > 4 or moment.year >= NEVER_YEAR:
        return None
    return _within(to_micros(moment) + day - _ahead())


def parse_duration(text: str, *, start: int) -> int | None:
    """The instant that lies an xsd:duration after `start`; None where it never comes.

    Years and months are counted by the calendar. Raises ValueError for anything that is no
    xsd:duration (XML Schema part 2, 3.2.6); a negative one lies before `start`.
    """
    lexical = text.strip()
    negative = lexical.startswith("-")
    if len(lexical) > _LONGEST or not _DURATION.fullmatch(lexical.removeprefix("-")):
        raise ValueError(f"{lexical[:60]!r} is no xsd:duration like PT10M")
    try:
        length = isodate.parse_duration(lexical.removeprefix("-"))
        moment = from_micros(start)
        return _within(to_micros(moment - length if negative else moment + length))
    except (ArithmeticError, ValueError):
        # Past either end of the calendar.
        return _FIRST if negative else None


def parse_moment(text: str, *, now: int) -> int | None:
    """The instant of an absolute or relative time (WS-ServiceGroup 1.2, AbsoluteOrRelativeTime)."""
    if text.strip().lstrip("-").startswith("P"):
        return parse_duration(text, start=now)
    return parse_datetime(text)


def format_datetime(instant: int) -> str:
    """The xsd:dateTime of an instant, in UTC with ``Z``, to the millisecond (rounded down)."""
    moment = from_micros(instant + _ahead())
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def exact_time(instant: int) -> datetime:
    """The time of day of an instant, in UTC, to the microsecond."""
    return from_micros(instant + _ahead())


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(instant: int) -> datetime:
    """The aware datetime (UTC) of an instant; one before year 1 or after 9999 is that end."""
    return _EPOCH + timedelta(microseconds=min(max(instant, _FIRST), _LAST))


_FIRST = to_micros(datetime.min.replace(tzinfo=UTC))
_LAST = to_micros(datetime.max.replace(tzinfo=UTC))
_NEVER = to_micros(datetime(NEVER_YEAR, 1, 1, tzinfo=UTC))


def _within(instant: int) -> int | None:
    """An instant that `from_micros` can show, None for one that counts as never."""
    return None if instant >= _NEVER else max(instant, _FIRST)
