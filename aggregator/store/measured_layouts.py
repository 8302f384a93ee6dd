"""How perfSONAR's databases are laid out: one set of tables for each month, or for each day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aggregator.store.measured_settings import (
    DELAY_COLUMNS,
    THROUGHPUT_COLUMNS,
    Parameters,
    delay_parameters,
    throughput_parameters,
)
from aggregator.store.measured_values import Kind

Layout = Literal["bwctl", "owamp", "ami"]


@dataclass(frozen=True, slots=True)
class Tables:
    """A layout of one kind.

    `second` is the column that counts whole seconds and begins the primary key of DATA, `begins`
    the instant that it is of, `ends` that of the end, where it is another one; `values` are the
    columns that are handed over, in their order.
    """

    kind: Kind
    dates: Sequence[str]
    settings: Sequence[str]
    parameters: Callable[[Sequence[Any]], Parameters]
    second: str
    begins: str
    ends: str
    values: Sequence[str]
    longest: int


THROUGHPUT = Tables(
    kind="bwctl",
    dates=("year", "month"),
    settings=THROUGHPUT_COLUMNS,
    parameters=throughput_parameters,
    second="ti",
    begins="timestamp",
    ends="timestamp",
    values=("throughput", "jitter", "lost", "sent"),
    longest=0,
)
DELAYS = Tables(
    kind="owamp",
    dates=("year", "month", "day"),
    settings=DELAY_COLUMNS,
    parameters=delay_parameters,
    second="si",
    begins="stimestamp",
    ends="etimestamp",
    values=("min", "max", "minttl", "maxttl", "sent", "lost", "dups", "maxerr", "ei"),
    # A sample is in the table of the day on which it began, and may end on the next one.
    longest=86400,
)
