"""Values on their way into a row: the same on every database, and plain when they come back.

What can be stored as it was meant is; anything else is refused, so that nothing comes back as
something else. Instants are kept as texts of ISO 8601, in UTC, which sort as they follow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from aggregator.errors import StreamValueError
from aggregator.store.stream_columns import Kind, StreamColumn, shown

#: Characters or bytes of one value, and of a row.
LONGEST, LARGEST = 2**20, 2**22
#: Characters or bytes of a filter's parameter; SQLite takes patterns of 50,000 bytes.
LONGEST_PARAMETER = 4000

_INTEGERS = range(-(2**63), 2**63)


class _Unfit(Exception):
    """A value that is none of the type; the text says what would be."""


def as_row(
    key: str, columns: Sequence[StreamColumn], at: object, values: Sequence[object]
) -> tuple[Any, ...]:
    """The values of a row as they are stored, its instant first; raises StreamValueError."""
    if len(values) != len(columns):
        raise StreamValueError(
            f"{key!r} has {len(columns)} columns beside time"
            f" ({', '.join(column.name for column in columns)}); given were {len(values)} values"
        )
    fitting = [_fit(key, column, value) for column, value in zip(columns, values, strict=True)]
    size = sum(len(value) for value in fitting if isinstance(value, str | bytes))
    if size > LARGEST:
        raise StreamValueError(f"a row of {key!r} has {size} characters; {LARGEST} may be")
    return (instant(at), *fitting)


def instant(at: object) -> float:
    """Seconds since 1970 UTC; raises StreamValueError."""
    at = plain(at)
    if isinstance(at, datetime):
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    try:
        number = _real(at)
    except _Unfit:
        number = None
    if number is None or not math.isfinite(number):
        raise StreamValueError(
            f"{shown(at)} is no instant; expected are seconds since 1970, as time.time() gives them"
        )
    return number


def _fit(key: str, column: StreamColumn, value: object) -> Any:
    if value is None:
        return None
    given = plain(value)
    if given is None:
        # An instant of numpy that is none.
        return None
    try:
        found = _FITTING[column.kind](given)
        limit = LONGEST if column.longest is None else column.longest
        if isinstance(found, str | bytes) and len(found) > limit:
            raise _Unfit(f"{limit} characters or bytes at most; given were {len(found)}")
    except _Unfit as unfit:
        raise StreamValueError(
            f"{key}.{column.name}: {shown(value)} does not fit {column.type}; expected is {unfit}"
        ) from None
    return found


def plain(value: Any) -> Any:
    """The Python value of a scalar of numpy, or of anything that gives it in the same way.

    An instant is one to microseconds; what has no Python value of its kind stays what it is.
    """
    if not hasattr(value, "dtype") or getattr(value, "ndim", None) != 0:
        return value
    kind = getattr(value.dtype, "kind", "")
    # Of these numpy gives a bare number where their unit is one that Python does not know.
    if kind == "m":
        return value
    found = value.item()
    if kind == "M" and isinstance(found, int):
        found = value.astype("datetime64[us]").item()
        return value if isinstance(found, int) else found
    return found


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise _Unfit("a text; make one of it, by str() or repr()")
    try:
        # A class of one's own, such as an enum's, is the text that it holds.
        text = str.__str__(value) if isinstance(value, str) else str(value)
    except ValueError:
        raise _Unfit("a text, or a number with fewer digits") from None
    if "\0" in text:
        raise _Unfit("a text without the character NUL, which not every database takes")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Unfit("a text that is all Unicode; there are lone surrogates in it") from None
    return text


def _integer(value: object) -> int:
    wanted = "a whole number of 64 bits"
    try:
        if isinstance(value, str):
            number = int(value) if len(value) <= 20 else None
        elif isinstance(value, int):
            number = int(value)
        elif isinstance(value, float | Decimal):
            # A decimal of a few characters may be a number of very many digits.
            whole = int(value) if -(2**63) <= value < 2**63 else None
            number = whole if value == whole else None
        else:
            number = None
    except (ValueError, OverflowError, InvalidOperation):
        number = None
    if number is None or number not in _INTEGERS:
        raise _Unfit(wanted)
    return number


def _real(value: object) -> float | None:
    """A number, or None for what is none by its own word (NaN), which SQLite keeps as NULL too."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise _Unfit("a number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise _Unfit("a number that a double can hold") from None
    return None if math.isnan(number) else number


def _boolean(value: object) -> bool:
    if not isinstance(value, int) or value not in (0, 1):
        raise _Unfit("True or False, 1 or 0")
    return bool(value)


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise _Unfit("bytes; encode a text first")
    return bytes(value)


def _datetime(value: object) -> str:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise _Unfit("a datetime, or its text as ISO 8601 has it") from None
    if not isinstance(value, datetime):
        raise _Unfit("a datetime, or its text as ISO 8601 has it")
    given = value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        utc = given.astimezone(UTC)
    except OverflowError:
        raise _Unfit("a datetime of the years 1 to 9999 in UTC") from None
    return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _date(value: object) -> str:
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value)
        except ValueError:
            raise _Unfit("a date, or its text as ISO 8601 has it") from None
    if not isinstance(value, date) or isinstance(value, datetime):
        raise _Unfit("a date, or its text as ISO 8601 has it")
    return value.isoformat()


def _time(value: object) -> str:
    if isinstance(value, str):
        try:
            value = time.fromisoformat(value)
        except ValueError:
            raise _Unfit("a time, or its text as ISO 8601 has it") from None
    if not isinstance(value, time) or value.tzinfo is not None:
        raise _Unfit("a time without zone, or its text as ISO 8601 has it")
    return value.isoformat(timespec="microseconds")


_FITTING: dict[Kind, Callable[[object], Any]] = {
    "text": _text,
    "integer": _integer,
    "real": _real,
    "boolean": _boolean,
    "bytes": _bytes,
    "date": _date,
    "time": _time,
    "datetime": _datetime,
}


def as_parameter(value: object) -> int | float | str | bool | bytes:
    """A parameter of a filter as what it is compared with is stored; raises StreamValueError."""
    value = plain(value)
    try:
        if isinstance(value, datetime):
            return _datetime(value)
        if isinstance(value, date):
            return _date(value)
        if isinstance(value, time):
            return _time(value)
        if isinstance(value, Decimal):
            value = _real(value)
    except _Unfit as unfit:
        raise StreamValueError(f"the parameter {shown(value)}: expected is {unfit}") from None
    if isinstance(value, str | bytes) and len(value) > LONGEST_PARAMETER:
        raise StreamValueError(
            f"the parameter {shown(value)} has {len(value)} characters or bytes;"
            f" {LONGEST_PARAMETER} may be"
        )
    if isinstance(value, str | int | float | bytes):
        return value
    raise StreamValueError(
        f"the parameter {shown(value)} can't be compared with; expected is a text, a number, a"
        " truth value, bytes, a date or a time"
    )
