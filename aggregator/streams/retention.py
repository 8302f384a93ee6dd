"""How long rows are kept."""

from __future__ import annotations

import math
from dataclasses import dataclass

from aggregator.errors import StreamRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Rows that are removed; whatever is not set keeps them.

    ``sent``: those that every stream of their table has sent that was not stopped; without such a
    stream none. ``age``: those that are older, in seconds between their instant and the `now` of
    `do_updates`. ``count``: all but so many of each table. The last two bound what lies on the
    disk and so remove rows that were not sent, too, which is counted and logged.
    """

    sent: bool = False
    age: float | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        if self.age is not None and not (self.age > 0 and math.isfinite(self.age)):
            raise StreamRefused(f"age must be above zero, in seconds; given was {self.age!r}")
        if self.count is not None and (isinstance(self.count, bool) or self.count < 1):
            raise StreamRefused(f"count must be a whole number from 1 on; given was {self.count!r}")

    @property
    def removes(self) -> bool:
        """Whether anything is removed at all."""
        return self.sent or self.age is not None or self.count is not None
