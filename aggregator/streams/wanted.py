"""What is asked of a stream, checked before anything of it is written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aggregator.errors import StreamRefused, StreamValueError
from aggregator.store.stream_columns import check_name, shown
from aggregator.store.stream_reading import Condition
from aggregator.store.stream_storages import Storage
from aggregator.streams.destinations import Destinations, Names, destinations
from aggregator.streams.values import as_parameter, instant, plain

#: Makes the message of rows, each a list whose first value is its instant, and of the user data.
Formatter = Callable[[list[list[Any]], Any], Any]

#: Where a stream begins: with the oldest row, with the next one, or with the first of an instant.
Begin = Literal["oldest", "now"] | float

#: Rows of one message at most.
MOST_ROWS = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """What was asked for by `stream`. `mark` tells its filter from others."""

    name: str
    to: Destinations
    period: float
    formatter: Formatter
    userdata: Any
    condition: Condition | None
    mark: str
    batch_size: int
    set_aside_after: int | None
    row_ids: bool


def read_wanted(
    storage: Storage,
    *,
    to: tuple[Names, Names, Names],
    period: object,
    formatter: Formatter | None,
    filters: tuple[str | None, str | None],
    parameters: Mapping[str, Any] | Sequence[Any],
    userdata: object,
    name: object,
    batch_size: object,
    set_aside_after: object,
    row_ids: bool,
) -> Wanted:
    """What was asked for; raises StreamRefused and FilterRefused."""
    if not callable(formatter):
        raise StreamRefused(
            f"a formatter is called with the rows and the userdata; given was {shown(formatter)}"
        )
    condition, mark = _condition(storage, filters, parameters)
    return Wanted(
        name=check_name(name) if name else "",
        to=destinations(*to),
        period=_seconds(period),
        formatter=formatter,
        userdata=userdata,
        condition=condition,
        mark=mark,
        batch_size=_count(batch_size, "batch_size", MOST_ROWS),
        set_aside_after=(
            None if set_aside_after is None else _count(set_aside_after, "set_aside_after", 10**9)
        ),
        row_ids=bool(row_ids),
    )


def read_start(start: object) -> Begin | None:
    """Where a stream begins, an instant as a number; raises StreamRefused."""
    if start is None or start in ("oldest", "now"):
        return start
    try:
        return instant(start)
    except StreamValueError:
        raise StreamRefused(
            f"start must be 'oldest', 'now', or seconds since 1970; given was {shown(start)}"
        ) from None


def _condition(
    storage: Storage,
    filters: tuple[str | None, str | None],
    parameters: Mapping[str, Any] | Sequence[Any],
) -> tuple[Condition | None, str]:
    given = [text for text in filters if text]
    if not given:
        if parameters:
            raise StreamRefused("parameters were given, but no sqlfilter to use them")
        return None, ""
    if len(set(given)) > 1:
        raise StreamRefused("sqlfile is another name of sqlfilter; give one of them")
    # The parser takes a while to load, and most streams have no filter.
    from aggregator.store.stream_filter import read_filter  # noqa: PLC0415

    if isinstance(parameters, Mapping):
        named = {str(name): as_parameter(value) for name, value in parameters.items()}
        return read_filter(given[0], named, storage)
    if isinstance(parameters, str | bytes) or not isinstance(parameters, Sequence):
        raise StreamRefused(
            f"parameters must be a list for ?, or a dict for :name; given was {shown(parameters)}"
        )
    return read_filter(given[0], [as_parameter(value) for value in parameters], storage)


def _seconds(period: object) -> float:
    period = plain(period)
    if isinstance(period, bool) or not isinstance(period, int | float) or not 0 < period < 1e9:
        raise StreamRefused(
            f"period must be a number of seconds above zero; given was {shown(period)}"
        )
    return float(period)


def _count(given: object, what: str, most: int) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= most:
        raise StreamRefused(
            f"{what} must be a whole number from 1 to {most}; given was {shown(given)}"
        )
    return given
