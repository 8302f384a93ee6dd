"""For how long a subscription lasts: what is asked for, and what is granted."""

from __future__ import annotations

from aggregator.errors import UnacceptableInitialTime, UnacceptableTime
from aggregator.wire.times import SECOND, parse_moment

#: Microseconds that a subscription lasts at least; less would end before it is renewed.
SHORTEST = SECOND


def granted_until(asked: str, *, now: int, longest: float, renewing: bool = False) -> int | None:
    """The instant until which a subscription is granted, None for ever.

    `asked` is a xsd:dateTime or xsd:duration, empty for as long as is possible; `longest` is in
    seconds, 0 for no limit. What is longer is cut: the reply tells what was granted. Raises
    UnacceptableInitialTime, or UnacceptableTime where one is renewed, for what is no time or is
    over already (WS-BaseNotification 1.3, sections 4.2 and 6.1.1).
    """
    refusal = UnacceptableTime if renewing else UnacceptableInitialTime
    maximum = now + round(longest * SECOND) if longest else None
    try:
        until = parse_moment(asked, now=now) if asked else None
    except ValueError as error:
        raise refusal(str(error), minimum=now + SHORTEST, maximum=maximum) from error
    if until is not None and until < now + SHORTEST:
        raise refusal(
            f"{asked[:60]!r} is over already, or in less than a second",
            minimum=now + SHORTEST,
            maximum=maximum,
        )
    return _cut(until, maximum)


def asked_until(asked: str, *, now: int, longest: float) -> int | None:
    """The same for a time that may be over, which ends what is asked for it; raises ValueError."""
    until = parse_moment(asked, now=now) if asked else None
    return _cut(until, now + round(longest * SECOND) if longest else None)


def _cut(until: int | None, maximum: int | None) -> int | None:
    if maximum is not None and (until is None or until > maximum):
        return maximum
    return until
