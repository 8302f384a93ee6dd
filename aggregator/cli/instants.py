"""Times as people give them to commands."""

from __future__ import annotations

import re

from aggregator.errors import ConfigError
from aggregator.wire.times import parse_datetime

#: An instant that is later than any that is kept.
END = 2**62
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def instant(option: str, text: str) -> int | None:
    """The instant that an option gives, a day alone being its beginning; None for none."""
    if not text:
        return None
    try:
        found = parse_datetime(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text)
    except ValueError as error:
        raise ConfigError(f"{option}: {error}") from error
    return END if found is None else found
